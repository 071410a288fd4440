"""Histograms and templates."""


def template_slice(*keys):
    """Configuration of the templates: systematics without the rates, which need none."""
    values = slice_config(CONFIG, *keys, "samples", "regions", "observables")
    values["control_plots"] = slice_config(CONFIG, "control_plots")["control_plots"]
    values["systematics"] = {
        name: item.model_dump(mode="json", exclude={"source", "group"})
        for name, item in CONFIG.systematics.items()
        if item.kind != "rate"
    }
    return values


def dataset_events(wildcards):
    """Parquet files of one dataset."""
    return events_of(wildcards.dataset)


rule histogram:
    """Fill one dataset's histograms, all variations in one pass."""
    input:
        events=dataset_events,
        models=MODELS,
        verdict=OVERTRAINING,
        normalisation=NORMALISATION,
        pileup=PILEUP,
    output:
        observables=f"{OUT}/templates/datasets/{{dataset}}.zip",
        control=f"{OUT}/templates/datasets/{{dataset}}_control.zip",
    params:
        config=template_slice("module", "features"),
        code=code_version(
            "taipan.templates.fill",
            "taipan.templates.store",
            "taipan.events.inputs",
            "taipan.nn.scorer",
            CONFIG.module,
        ),
    log:
        f"{OUT}/logs/histogram/{{dataset}}.log",
    benchmark:
        f"{OUT}/benchmarks/histogram/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
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
        yields=YIELDS,
    params:
        config=template_slice(),
        code=code_version("taipan.templates.combine", "taipan.templates.store"),
    log:
        log_file("combine_templates"),
    benchmark:
        benchmark_file("combine_templates")
    conda:
        ENVIRONMENT
    script:
        "../../scripts/combine_templates.py"
