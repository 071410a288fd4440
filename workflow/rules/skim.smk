"""Event selection: ROOT files to Parquet columns, cutflows and normalisation."""


def chunk_of(wildcards):
    """Entry range of a skim job."""
    return asdict(CHUNKS[wildcards.dataset][int(wildcards.chunk)])


def chunk_file(wildcards):
    """ROOT file of a skim job."""
    return source_file(CHUNKS[wildcards.dataset][int(wildcards.chunk)].file)


def skim_settings(wildcards):
    """What the skim of a dataset depends on."""
    return {
        "dataset": wildcards.dataset,
        "is_data": CATALOGUE.dataset(wildcards.dataset).is_data,
        "kind": CATALOGUE.kind,
        "envelope": CONFIG.skim.envelope,
        "step_events": CONFIG.skim.step_events,
    }


rule skim:
    """Select the events of one chunk of a dataset."""
    input:
        file=chunk_file,
    output:
        events=f"{OUT}/events/{{dataset}}/{{chunk}}.parquet",
        cutflow=f"{OUT}/cutflow/{{dataset}}/{{chunk}}.json",
    params:
        chunk=chunk_of,
        settings=skim_settings,
        module=CONFIG.module,
        code=code_version("taipan.skim.run", CONFIG.module),
    log:
        f"{OUT}/logs/skim/{{dataset}}_{{chunk}}.log",
    benchmark:
        f"{OUT}/benchmarks/skim/{{dataset}}_{{chunk}}.tsv"
    conda:
        ENVIRONMENT
    script:
        "../../scripts/skim.py"


rule normalise:
    """Merge the cutflows and derive each dataset's scale from its cross section."""
    input:
        cutflows=[path for name in DATASETS for path in cutflows_of(name)],
    output:
        normalisation=NORMALISATION,
        cutflow=CUTFLOW,
    params:
        catalogue=CATALOGUE.model_dump(mode="json"),
        luminosity=total_luminosity(CONFIG, CATALOGUE),
        expected_events={name: generated_events(name) for name in DATASETS},
        code=code_version("taipan.normalisation"),
    log:
        log_file("normalise"),
    benchmark:
        benchmark_file("normalise")
    conda:
        ENVIRONMENT
    script:
        "../../scripts/normalise.py"
