"""Input files: the embedded simulation."""

if IS_FASTSIM:

    FASTSIM = f"{CONFIG.results}/fastsim"

    def fastsim_settings():
        """Settings of the embedded simulation, every dataset's size included."""
        settings = CONFIG.fastsim
        sizes = {
            name: settings.events.get(name, entry.generated_events)
            for name, entry in CATALOGUE.datasets.items()
            if not entry.is_data
        }
        return {
            "luminosity": settings.luminosity,
            "mu": settings.mu,
            "mismodelling_family": settings.mismodelling.family,
            "mismodelling_size": settings.mismodelling.size,
            "negative_fraction": settings.negative_fraction,
            "events": sizes,
        }

    rule simulate:
        """Simulate one dataset as a reduced-NanoAOD ROOT file."""
        output:
            f"{FASTSIM}/{{dataset}}.root",
        params:
            settings=fastsim_settings(),
            seed=derive_seed(SEED, "fastsim"),
            code=code_version("taipan.fastsim"),
        log:
            f"{FASTSIM}/logs/{{dataset}}.log",
        benchmark:
            f"{OUT}/benchmarks/simulate/{{dataset}}.tsv"
        conda:
            ENVIRONMENT
        script:
            "../../scripts/simulate.py"

    rule record_truth:
        """Record what was put into the pseudo-data."""
        output:
            TRUTH,
        params:
            settings=fastsim_settings(),
            seed=derive_seed(SEED, "fastsim"),
            code=code_version("taipan.fastsim"),
        log:
            f"{FASTSIM}/logs/truth.log",
        benchmark:
            benchmark_file("record_truth")
        conda:
            ENVIRONMENT
        script:
            "../../scripts/simulate.py"
