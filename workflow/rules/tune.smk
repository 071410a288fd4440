"""Search for the hyperparameters of the network."""

TRAINING_INPUTS = {
    "events": nominal_events(),
    "normalisation": NORMALISATION,
    "pileup": PILEUP,
    "transfer_factor": TRANSFER,
}


rule tune:
    """Search for hyperparameters, in one process or with a chief and workers."""
    input:
        **TRAINING_INPUTS,
    output:
        best=BEST_HPS,
        trials=TRIALS,
    log:
        log_file("tune"),
    benchmark:
        benchmark_file("tune")
    conda:
        ENVIRONMENT
    params:
        events=nominal_by_dataset(),
        folder=f"{OUT}/tuning/search",
        config=training_slice("tuning"),
        seed=derive_seed(SEED, "tune"),
        code=code_version(
            "taipan.nn.tune",
            "taipan.nn.tune_chief",
            "taipan.nn.inputs",
            CONFIG.module,
        ),
    script:
        "../../scripts/tune.py"
