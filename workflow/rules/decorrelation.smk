"""How the score differs between data and simulation, judged by others than its adversary."""

JUDGED = judged_networks()


rule check_decorrelation:
    """Judge and draw the score of the networks in every control region."""
    input:
        **TRAINING_INPUTS,
        networks=[path for paths in JUDGED.values() for path in paths],
    output:
        **figures("check_decorrelation"),
        record=DECORRELATION,
    log:
        log_file("check_decorrelation"),
    benchmark:
        benchmark_file("check_decorrelation")
    params:
        events=nominal_by_dataset(),
        networks=JUDGED,
        config=SLICES.judge(),
        seed=derive_seed(SEED, "check_decorrelation"),
        header=PLOT_HEADER,
    script:
        "../../scripts/check_decorrelation.py"
