"""The k-fold networks and their gate. `{network}` is empty where there is only one."""


rule train:
    """Train the networks of every fold and export an ONNX file a fold."""
    input:
        **TRAINING_INPUTS,
        **tuned_inputs(),
        weights=TRANSFORMED_WEIGHTS,
        shapes=shapes_of_network,
        pretrained=pretrained_files,
        after=classifier_files(),
    output:
        models=[f"{OUT}/models{{network}}/fold{i}.onnx" for i in FOLDS],
        record=f"{OUT}/models{{network}}/training.json",
    log:
        f"{OUT}/logs/train{{network}}.log",
    benchmark:
        f"{OUT}/benchmarks/train{{network}}.tsv"
    threads: training_threads()
    params:
        events=nominal_by_dataset(),
        checkpoints=f"{OUT}/models{{network}}/checkpoints",
        config=network_slice,
        own=own_keys,
        seed=derive_seed(SEED, "train"),
    script:
        "../../scripts/train.py"


rule check_overtraining:
    """Compare the score of training and held-out events; stop or warn."""
    input:
        **TRAINING_INPUTS,
        models=[f"{OUT}/models{{network}}/fold{i}.onnx" for i in FOLDS],
    output:
        verdict=f"{OUT}/gates/check_overtraining{{network}}/verdict.json",
    log:
        f"{OUT}/logs/check_overtraining{{network}}.log",
    benchmark:
        f"{OUT}/benchmarks/check_overtraining{{network}}.tsv"
    params:
        events=nominal_by_dataset(),
        config=gate_slice,
    script:
        "../../scripts/check_overtraining.py"
