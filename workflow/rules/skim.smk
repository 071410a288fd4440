"""Event selection: ROOT files to Parquet columns, cutflows and normalisation."""

if CONFIG.skim.executor == "dask":

    for name in DATASETS:

        rule:
            # a job a dataset: skim_<dataset>
            name:
                f"skim_{name}"
            input:
                files=inputs_of(name),
                after=lumi_mask_of(name),
            output:
                events=skimmed_of(name),
                cutflows=cutflows_of(name),
                identities=identities_of(name),
            log:
                f"{OUT}/logs/skim/{name}.log",
            benchmark:
                f"{OUT}/benchmarks/skim/{name}.tsv"
            params:
                tasks=tasks_of(name),
                code=skim_code,
            script:
                "../../scripts/skim_dataset.py"

else:

    rule skim:
        """Select the events of one chunk of a dataset."""
        input:
            file=chunk_file,
            after=lumi_mask,
        output:
            events=f"{OUT}/events/{{dataset}}/{{chunk}}.parquet",
            cutflow=f"{OUT}/cutflow/{{dataset}}/{{chunk}}.json",
            identities=f"{OUT}/identities/{{dataset}}/{{chunk}}.parquet",
        log:
            f"{OUT}/logs/skim/{{dataset}}_{{chunk}}.log",
        benchmark:
            f"{OUT}/benchmarks/skim/{{dataset}}_{{chunk}}.tsv"
        params:
            task=chunk_task,
            code=skim_code,
        script:
            "../../scripts/skim.py"


rule normalise:
    """Merge the cutflows and derive each dataset's scale from its cross section."""
    input:
        cutflows=[path for name in NOMINAL for path in cutflows_of(name)],
        identities=[path for name in NOMINAL for path in identities_of(name)],
    output:
        **repeats_file(REPEATS),
        normalisation=NORMALISATION,
        cutflow=CUTFLOW,
        table=report(
            CUTFLOW_TABLE,
            caption="../report/cutflow_table.rst",
            category="Selection",
            labels={"Figure": "table"},
        ),
        skipped=SKIPPED,
    log:
        log_file("normalise"),
    benchmark:
        benchmark_file("normalise")
    params:
        **SLICES.generator(),
        catalogue=CATALOGUE.model_dump(mode="json", exclude={"mirrors"}),
        luminosity=total_luminosity(CONFIG, CATALOGUE),
        expected_events=expected_events(NOMINAL),
        identities={name: identities_of(name) for name in NOMINAL},
        duplicates=CONFIG.skim.duplicates,
    script:
        "../../scripts/normalise.py"


if CONFIG.skim.duplicates == "first":

    rule keep_first:
        """Leave out the events of a dataset that occur before."""
        input:
            events=dataset_skimmed,
            repeats=dataset_repeats,
        output:
            kept=f"{OUT}/events_once/{{dataset}}.parquet",
        log:
            f"{OUT}/logs/keep_first/{{dataset}}.log",
        benchmark:
            f"{OUT}/benchmarks/keep_first/{{dataset}}.tsv"
        params:
            folder=CONFIG.folder,
        script:
            "../../scripts/keep_first.py"


if ALTERNATIVES:

    rule normalise_alternatives:
        """Normalise the alternative datasets of systematics; nothing nominal depends on it."""
        input:
            cutflows=[path for name in ALTERNATIVES for path in cutflows_of(name)],
            # their branches must mean the same
            nominal=[path for name in NOMINAL for path in cutflows_of(name)],
            identities=[path for name in ALTERNATIVES for path in identities_of(name)],
            data=SKIPPED,
        output:
            **repeats_file(REPEATS_ALTERNATIVES),
            normalisation=NORMALISATION_ALTERNATIVES,
            cutflow=CUTFLOW_ALTERNATIVES,
            table=CUTFLOW_TABLE_ALTERNATIVES,
            skipped=SKIPPED_ALTERNATIVES,
        log:
            log_file("normalise_alternatives"),
        benchmark:
            benchmark_file("normalise_alternatives")
        params:
            catalogue=CATALOGUE.model_dump(mode="json", exclude={"mirrors"}),
            luminosity=total_luminosity(CONFIG, CATALOGUE),
            expected_events=expected_events(ALTERNATIVES),
            identities={name: identities_of(name) for name in ALTERNATIVES},
            duplicates=CONFIG.skim.duplicates,
        script:
            "../../scripts/normalise.py"
