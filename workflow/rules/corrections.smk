"""Corrections measured in data: vertex weights and the factor of an estimate."""


rule measure_pileup:
    """Measure the data/simulation ratio against the number of vertices."""
    input:
        events=nominal_events(),
        normalisation=NORMALISATION,
        after=nominal_correction_files(),
    output:
        pileup=PILEUP,
    log:
        log_file("measure_pileup"),
    benchmark:
        benchmark_file("measure_pileup")
    params:
        events=nominal_by_dataset(),
        config={
            **(SLICES.definitions() if CONFIG.corrections else {}),
            **SLICES.corrections(),
            **slice_config(CONFIG, "folder", "quantities", "pileup"),
        },
    script:
        "../../scripts/measure_pileup.py"


rule measure_transfer_factor:
    """Check every sample's yield; measure the factor of an estimate from data."""
    input:
        events=nominal_events(),
        normalisation=NORMALISATION,
        pileup=PILEUP,
    output:
        transfer_factor=TRANSFER,
    log:
        log_file("measure_transfer_factor"),
    benchmark:
        benchmark_file("measure_transfer_factor")
    params:
        events=nominal_by_dataset(),
        config={
            **SLICES.definitions(),
            **SLICES.corrections(),
            **slice_config(CONFIG, "folder", "quantities"),
        },
    script:
        "../../scripts/measure_transfer_factor.py"


rule measure_shapes:
    """Measure the weights that systematics take from data."""
    input:
        events=nominal_events(),
        normalisation=NORMALISATION,
        pileup=PILEUP,
        transfer_factor=TRANSFER,
    output:
        shapes=SHAPES,
    log:
        log_file("measure_shapes"),
    benchmark:
        benchmark_file("measure_shapes")
    params:
        events=nominal_by_dataset(),
        config={
            **SLICES.definitions(),
            **SLICES.corrections(),
            **slice_config(CONFIG, "folder", "quantities", "weights"),
        },
    script:
        "../../scripts/measure_shapes.py"


if CONFIG.corrections:

    rule list_corrections:
        """List the simulation before and after each correction of the nominal."""
        input:
            events=simulated_events(),
            normalisation=NORMALISATION,
            pileup=PILEUP,
            after=nominal_correction_files(),
        output:
            record=CLOSURE[0],
            table=report(
                CLOSURE[1],
                caption="../report/closure.rst",
                category="Corrections",
                labels={"Figure": "table"},
            ),
        log:
            log_file("list_corrections"),
        benchmark:
            benchmark_file("list_corrections")
        params:
            events=simulated_by_dataset(),
            envelope=derive_envelope(
                CONFIG.skim.envelope, ANALYSIS.shifts, CONFIG.systematics.values()
            ),
            config={
                **SLICES.definitions(),
                **SLICES.corrections(),
                **slice_config(CONFIG, "folder", "quantities"),
            },
        script:
            "../../scripts/list_corrections.py"
