"""Input files: the analysis' own simulation, or downloads."""

if IS_SIMULATED:

    SIMULATION = str(source_folder(CONFIG, CATALOGUE))

    rule simulate:
        """Simulate one dataset as a ROOT file or table."""
        output:
            file=f"{SIMULATION}/{{dataset}}{simulated_ending()}",
        log:
            f"{SIMULATION}/logs/{{dataset}}.log",
        benchmark:
            f"{OUT}/benchmarks/simulate/{{dataset}}.tsv"
        params:
            folder=CONFIG.folder,
            settings=simulation_settings(),
            seed=derive_seed(SEED, "fastsim"),
        script:
            "../../scripts/simulate.py"

    rule record_truth:
        """Record what was put into the pseudo-data."""
        output:
            truth=TRUTH,
        log:
            f"{SIMULATION}/logs/truth.log",
        benchmark:
            benchmark_file("record_truth")
        params:
            folder=CONFIG.folder,
            settings=simulation_settings(),
            seed=derive_seed(SEED, "fastsim"),
        script:
            "../../scripts/record_truth.py"


if CONFIG.remote.access == "fetch":

    rule fetch:
        """Download one file of the catalogue, verify it, and only then give it its name."""
        output:
            # not the file itself, which Snakemake would delete before it runs the rule again
            receipt=source_file("{file}") + RECEIPT,
        log:
            f"{OUT}/logs/fetch/{{file}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch/{{file}}.tsv"
        wildcard_constraints:
            file=any_catalogue_file(),
        params:
            **archive_param(),
            expected=expected_of_file,
        script:
            "../../scripts/fetch.py"
