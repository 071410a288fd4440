"""The k-fold network and its gate."""


rule train:
    """Train the networks of every fold and export an ONNX file a fold."""
    input:
        **TRAINING_INPUTS,
        **tuned_inputs(),
        weights=TRANSFORMED_WEIGHTS,
        after=classifier_files(),
    output:
        models=MODELS,
        record=TRAINING_RECORD,
    log:
        log_file("train"),
    benchmark:
        benchmark_file("train")
    params:
        events=nominal_by_dataset(),
        checkpoints=f"{OUT}/models/checkpoints",
        config=training_slice("classifier"),
        seed=derive_seed(SEED, "train"),
    script:
        "../../scripts/train.py"


rule check_overtraining:
    """Compare the score of training and held-out events; stop or warn."""
    input:
        **TRAINING_INPUTS,
        models=MODELS,
    output:
        verdict=OVERTRAINING,
    log:
        log_file("check_overtraining"),
    benchmark:
        benchmark_file("check_overtraining")
    params:
        events=nominal_by_dataset(),
        config=training_slice("overtraining", "classifier"),
    script:
        "../../scripts/check_overtraining.py"
