"""Negative weights: transformations that are stages of their own, and the gate on all weights."""

if CONFIG.training.negative_weights in STORED:

    rule transform_weights:
        """Give the training events other weights: refined, or resampled to positive ones."""
        input:
            **TRAINING_INPUTS,
        output:
            weights=TRANSFORMED_WEIGHTS[0],
            diagnostics=f"{OUT}/weights/{CONFIG.training.negative_weights}.json",
        log:
            log_file("transform_weights"),
        benchmark:
            benchmark_file("transform_weights")
        params:
            events=nominal_by_dataset(),
            config=SLICES.weights(),
            seed=derive_seed(SEED, transformation()),
        script:
            "../../scripts/transform_weights.py"


rule check_weights:
    """Describe the weights of samples and regions, judge those of the training; stop or warn."""
    input:
        **TRAINING_INPUTS,
        weights=TRANSFORMED_WEIGHTS,
        models=MODELS,
        record=TRAINING_RECORD,
    output:
        diagnostics=WEIGHTS,
        verdict=WEIGHT_VERDICT,
    log:
        log_file("check_weights"),
    benchmark:
        benchmark_file("check_weights")
    params:
        events=nominal_by_dataset(),
        config=SLICES.weights("weight_check"),
    script:
        "../../scripts/check_weights.py"
