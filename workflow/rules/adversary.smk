"""Scan of the adversary's strength, on demand (snakemake scan_lambda)."""

SCAN = f"{OUT}/adversary/scan"


rule scan_point:
    """Train with one strength and one seed; judge it and expect σ(μ)."""
    input:
        **TRAINING_INPUTS,
        **tuned_inputs(),
        weights=TRANSFORMED_WEIGHTS,
        shapes=SHAPES,
        after=correction_files(),
    output:
        models=[f"{SCAN}/{{strength}}_{{number}}/fold{i}.onnx" for i in FOLDS],
        record=f"{SCAN}/{{strength}}_{{number}}/training.json",
        point=f"{SCAN}/{{strength}}_{{number}}/point.json",
    log:
        f"{OUT}/logs/scan_point/{{strength}}_{{number}}.log",
    benchmark:
        f"{OUT}/benchmarks/scan_point/{{strength}}_{{number}}.tsv"
    params:
        events=nominal_by_dataset(),
        config=SLICES.scan(),
        seed=scan_seed,
    script:
        "../../scripts/scan_point.py"


rule scan_lambda:
    """Choose the strength with the smallest expected σ(μ), its residual included."""
    input:
        points=[f"{SCAN}/{name}/point.json" for name in scan_points()],
    output:
        **figures("scan_lambda"),
        choice=f"{OUT}/adversary/scan.json",
    log:
        log_file("scan_lambda"),
    benchmark:
        benchmark_file("scan_lambda")
    params:
        config=SLICES.choice(),
        header=PLOT_HEADER,
    script:
        "../../scripts/scan_lambda.py"
