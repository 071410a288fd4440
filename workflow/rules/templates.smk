"""Histograms and templates."""


rule histogram:
    """Fill one dataset's histograms, all variations in one pass."""
    input:
        events=dataset_events,
        models=MODELS,
        verdict=OVERTRAINING,
        normalisation=dataset_normalisation,
        pileup=PILEUP,
        shapes=SHAPES,
        corrections=correction_files(),
    output:
        observables=f"{OUT}/templates/datasets/{{dataset}}.zip",
        control=f"{OUT}/templates/datasets/{{dataset}}_control.zip",
    log:
        f"{OUT}/logs/histogram/{{dataset}}.log",
    benchmark:
        f"{OUT}/benchmarks/histogram/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    params:
        config=template_slice("module", "features", "weights"),
        code=code_version(
            "taipan.templates.fill",
            "taipan.templates.store",
            "taipan.events.inputs",
            "taipan.nn.scorer",
            CONFIG.module,
        ),
    script:
        "../../scripts/histogram.py"


rule combine_templates:
    """Add the datasets and estimate QCD from same-sign data."""
    input:
        observables=[f"{OUT}/templates/datasets/{name}.zip" for name in DATASETS],
        control=[f"{OUT}/templates/datasets/{name}_control.zip" for name in DATASETS],
        transfer_factor=TRANSFER,
    output:
        templates=TEMPLATES,
        control=CONTROL,
    log:
        log_file("combine_templates"),
    benchmark:
        benchmark_file("combine_templates")
    conda:
        ENVIRONMENT
    params:
        config=template_slice(),
        code=code_version("taipan.templates.combine", "taipan.templates.store"),
    script:
        "../../scripts/combine_templates.py"


rule list_yields:
    """List the nominal yields; the data of blinded regions are left out."""
    input:
        templates=TEMPLATES,
    output:
        yields=YIELDS,
    log:
        log_file("list_yields"),
    benchmark:
        benchmark_file("list_yields")
    conda:
        ENVIRONMENT
    params:
        blinded=blinded_regions(),
        code=code_version("taipan.templates.combine", "taipan.templates.store"),
    script:
        "../../scripts/list_yields.py"
