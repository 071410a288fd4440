"""Input files: the embedded simulation."""

if IS_FASTSIM:

    FASTSIM = f"{CONFIG.results}/fastsim"

    rule simulate:
        """Simulate one dataset as a reduced-NanoAOD ROOT file."""
        output:
            f"{FASTSIM}/{{dataset}}.root",
        log:
            f"{FASTSIM}/logs/{{dataset}}.log",
        benchmark:
            f"{OUT}/benchmarks/simulate/{{dataset}}.tsv"
        conda:
            ENVIRONMENT
        params:
            settings=fastsim_settings(),
            seed=derive_seed(SEED, "fastsim"),
            code=code_version("taipan.fastsim"),
        script:
            "../../scripts/simulate.py"

    rule record_truth:
        """Record what was put into the pseudo-data."""
        output:
            TRUTH,
        log:
            f"{FASTSIM}/logs/truth.log",
        benchmark:
            benchmark_file("record_truth")
        conda:
            ENVIRONMENT
        params:
            settings=fastsim_settings(),
            seed=derive_seed(SEED, "fastsim"),
            code=code_version("taipan.fastsim"),
        script:
            "../../scripts/simulate.py"
