"""The k-fold network and its gate."""


def training_slice(*more):
    """Configuration that decides which events are trained on, and how."""
    return slice_config(
        CONFIG, "module", "samples", "regions", "features", "training", *more
    )


TRAINING_INPUTS = {
    "events": all_events(),
    "normalisation": NORMALISATION,
    "pileup": PILEUP,
    "transfer_factor": TRANSFER,
}


rule train:
    """Train one network a fold and export each to ONNX."""
    input:
        **TRAINING_INPUTS,
    output:
        models=MODELS,
        record=TRAINING_RECORD,
    params:
        events=events_by_dataset(),
        config=training_slice(),
        seed=derive_seed(SEED, "train"),
        code=code_version("taipan.nn.train", "taipan.nn.collect", CONFIG.module),
    log:
        log_file("train"),
    benchmark:
        benchmark_file("train")
    conda:
        ENVIRONMENT
    script:
        "../../scripts/train.py"


rule check_overtraining:
    """Compare the score of training and held-out events; stop or warn."""
    input:
        **TRAINING_INPUTS,
        models=MODELS,
    output:
        verdict=OVERTRAINING,
    params:
        events=events_by_dataset(),
        config=training_slice("overtraining"),
        code=code_version("taipan.nn.overtraining", "taipan.nn.collect", CONFIG.module),
    log:
        log_file("check_overtraining"),
    benchmark:
        benchmark_file("check_overtraining")
    conda:
        ENVIRONMENT
    script:
        "../../scripts/check_overtraining.py"
