"""Histograms and templates."""

if CONFIG.templates.binning.method != "none":

    rule optimise_binning:
        """Choose the bin edges with the smallest expected uncertainty, on one fold."""
        input:
            events=nominal_events(),
            models=MODELS,
            others=other_models(),
            normalisation=NORMALISATION,
            pileup=PILEUP,
            transfer_factor=TRANSFER,
            shapes=SHAPES,
            after=[*GATES, *correction_files()],
        output:
            edges=EDGES,
        log:
            log_file("optimise_binning"),
        benchmark:
            benchmark_file("optimise_binning")
        params:
            events=nominal_by_dataset(),
            others=OTHER_MODELS,
            config=SLICES.binning(),
        script:
            "../../scripts/optimise_binning.py"


rule histogram:
    """Fill one dataset's histograms, all variations in one pass."""
    input:
        events=dataset_events,
        models=MODELS,
        others=other_models(),
        normalisation=dataset_normalisation,
        pileup=PILEUP,
        shapes=SHAPES,
        edges=chosen_edges(),
        after=[*GATES, *correction_files()],
    output:
        observables=f"{OUT}/templates/datasets/{{dataset}}.zip",
        control=f"{OUT}/templates/datasets/{{dataset}}_control.zip",
    log:
        f"{OUT}/logs/histogram/{{dataset}}.log",
    benchmark:
        f"{OUT}/benchmarks/histogram/{{dataset}}.tsv"
    params:
        others=OTHER_MODELS,
        config=SLICES.filling(),
        drop_fold=dropped_fold(),
    script:
        "../../scripts/histogram.py"


rule combine_templates:
    """Add the datasets and fill the sample estimated from data."""
    input:
        observables=[f"{OUT}/templates/datasets/{name}.zip" for name in DATASETS],
        control_plots=[
            f"{OUT}/templates/datasets/{name}_control.zip" for name in DATASETS
        ],
        transfer_factor=TRANSFER,
        edges=chosen_edges(),
        normalisation=member_normalisation(),
    output:
        templates=TEMPLATES,
        control=CONTROL,
        residuals=RESIDUALS,
    log:
        log_file("combine_templates"),
    benchmark:
        benchmark_file("combine_templates")
    params:
        **({} if HAS_DATA else {"has_data": False}),
        config=SLICES.templates(),
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
    params:
        blinded=blinded_regions(),
    script:
        "../../scripts/list_yields.py"
