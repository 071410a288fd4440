"""Networks that those of another run begin with, and the run that they are trained in.

The rules of that run are these ones, with `pretraining_` before their names.
"""


rule pretrain:
    """Train the networks of every fold for others to begin with; made on demand."""
    input:
        **TRAINING_INPUTS,
        weights=TRANSFORMED_WEIGHTS,
    output:
        networks=[f"{OUT}/pretrained{{network}}/fold{i}.npz" for i in FOLDS],
        record=f"{OUT}/pretrained{{network}}/training.json",
    log:
        f"{OUT}/logs/pretrain{{network}}.log",
    benchmark:
        f"{OUT}/benchmarks/pretrain{{network}}.tsv"
    params:
        events=nominal_by_dataset(),
        checkpoints=f"{OUT}/pretrained{{network}}/checkpoints",
        config=pretraining_slice,
        seed=derive_seed(SEED, "pretrain"),
    script:
        "../../scripts/pretrain.py"


if SOURCE is not None:
    follow_profile("pretraining_")

    module pretraining:
        snakefile:
            "../../Snakefile"
        config:
            SOURCE_KEYS

    use rule * from pretraining as pretraining_*
