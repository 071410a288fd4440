"""Negative weights: transformations that are stages of their own, and the gate on all weights."""

if CONFIG.training.negative_weights == "refine":

    rule refine_weights:
        """Replace the sign of each weight by its mean given the features."""
        input:
            **TRAINING_INPUTS,
        output:
            weights=TRANSFORMED_WEIGHTS[0],
            diagnostics=f"{OUT}/weights/refine.json",
        log:
            log_file("refine_weights"),
        benchmark:
            benchmark_file("refine_weights")
        params:
            events=nominal_by_dataset(),
            config=weights_slice(),
            seed=derive_seed(SEED, "refine_weights"),
        script:
            "../../scripts/refine_weights.py"


if CONFIG.training.negative_weights in ("resample", "cell"):

    rule transform_weights:
        """Resample the training events to positive weights, by networks or by cells."""
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
            config=weights_slice(),
            seed=derive_seed(SEED, "transform_weights"),
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
        config=weights_slice("weight_check"),
    script:
        "../../scripts/check_weights.py"
