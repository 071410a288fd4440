"""Figures of the networks, each as PDF and PNG with its numbers as JSON."""


rule plot_training:
    """Draw learning curves, scores and ROC curve of the networks."""
    input:
        record=TRAINING_RECORD,
        verdict=OVERTRAINING,
    output:
        **figures("plot_training", **of_classes()),
    log:
        log_file("plot_training"),
    benchmark:
        benchmark_file("plot_training")
    params:
        header=PLOT_HEADER,
    script:
        "../../scripts/plot_training.py"


rule plot_weights:
    """Draw the event weights, where the negative ones are, and the closure of the features."""
    input:
        diagnostics=WEIGHTS,
    output:
        **figures("plot_weights"),
    log:
        log_file("plot_weights"),
    benchmark:
        benchmark_file("plot_weights")
    params:
        header=PLOT_HEADER,
        units=quantity_units(),
    script:
        "../../scripts/plot_weights.py"


rule plot_tuning:
    """Draw the trials of the search and the importance of the hyperparameters."""
    input:
        trials=TRIALS,
        best=BEST_HPS,
    output:
        **figures("plot_tuning"),
    log:
        log_file("plot_tuning"),
    benchmark:
        benchmark_file("plot_tuning")
    params:
        header=PLOT_HEADER,
    script:
        "../../scripts/plot_tuning.py"


rule rank_inputs:
    """Measure and draw the permutation importance of the inputs."""
    input:
        **TRAINING_INPUTS,
        models=MODELS,
    output:
        **figures("rank_inputs"),
    log:
        log_file("rank_inputs"),
    benchmark:
        benchmark_file("rank_inputs")
    params:
        events=nominal_by_dataset(),
        config=SLICES.training("input_selection"),
        seed=derive_seed(SEED, "rank_inputs"),
        header=PLOT_HEADER,
    script:
        "../../scripts/rank_inputs.py"
