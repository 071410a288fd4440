"""How the score differs between data and simulation, judged by others than its adversary."""

JUDGED = judged_networks()


rule check_decorrelation:
    """Judge and draw the score of the networks in every control region."""
    input:
        **TRAINING_INPUTS,
        **{f"models_{name}": paths for name, paths in JUDGED.items()},
    output:
        **decorrelation_figures(),
        record=DECORRELATION,
    log:
        log_file("check_decorrelation"),
    benchmark:
        benchmark_file("check_decorrelation")
    params:
        events=nominal_by_dataset(),
        networks=list(JUDGED),
        config=judge_slice(),
        seed=derive_seed(SEED, "check_decorrelation"),
        header=PLOT_HEADER,
    script:
        "../../scripts/check_decorrelation.py"
