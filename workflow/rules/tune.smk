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
        weights=TRANSFORMED_WEIGHTS,
    output:
        best=BEST_HPS,
        trials=TRIALS,
    log:
        log_file("tune"),
    benchmark:
        benchmark_file("tune")
    params:
        events=nominal_by_dataset(),
        folder=f"{OUT}/tuning/search",
        config=SLICES.plain_training("tuning"),
        seed=derive_seed(SEED, "tune"),
    script:
        "../../scripts/tune.py"


rule select_inputs:
    """Eliminate inputs backwards; made on demand (snakemake select_inputs)."""
    input:
        **TRAINING_INPUTS,
        weights=TRANSFORMED_WEIGHTS,
    output:
        **figures("select_inputs"),
        selection=SELECTION,
    log:
        log_file("select_inputs"),
    benchmark:
        benchmark_file("select_inputs")
    params:
        events=nominal_by_dataset(),
        config=SLICES.plain_training("input_selection"),
        seed=derive_seed(SEED, "select"),
        header=PLOT_HEADER,
    script:
        "../../scripts/select_inputs.py"
