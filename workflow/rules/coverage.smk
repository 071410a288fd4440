"""Coverage of the intervals: `snakemake measure_coverage`, not part of a default run.

Pseudo-data may be drawn from a larger simulation, made independently. The rules of that run are these
ones, with `larger_` before their names.
"""


rule draw_pseudo_data:
    """Draw pseudo-data from shifted events, with random signal strength and systematics."""
    input:
        events=simulated_events(),
        models=scoring_models,
        normalisation=NORMALISATION,
        pileup=PILEUP,
        larger=[path for paths in larger_by_dataset().values() for path in paths],
        larger_normalisation=normalisation_in(LARGER_OUT) if LARGER else [],
        shapes=SHAPES,
        templates=TEMPLATES,
        transfer_factor=TRANSFER,
        record=f"{OUT}/workspaces/{{observable}}_record.json",
        after=correction_files(),
    output:
        pseudo_data=f"{OUT}/coverage/{{observable}}/{{batch}}.json",
    log:
        f"{OUT}/logs/draw_pseudo_data/{{observable}}_{{batch}}.log",
    benchmark:
        f"{OUT}/benchmarks/draw_pseudo_data/{{observable}}_{{batch}}.tsv"
    params:
        config=checked_coverage,
        events=simulated_by_dataset(),
        larger=larger_by_dataset(),
        seed=SEED,
    script:
        "../../scripts/draw_pseudo_data.py"


rule summarise_coverage:
    """Fit the pseudo-data; count how often intervals hold the truth."""
    input:
        workspace=f"{OUT}/workspaces/{{observable}}.json",
        record=f"{OUT}/workspaces/{{observable}}_record.json",
        pseudo_data=[
            f"{OUT}/coverage/{{observable}}/{i}.json"
            for i in range(CONFIG.coverage.batches)
        ],
    output:
        **figures("summarise_coverage"),
        report=f"{OUT}/coverage/{{observable}}.json",
    log:
        f"{OUT}/logs/coverage/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/coverage/{{observable}}.tsv"
    script:
        "../../scripts/summarise_coverage.py"


rule calibrate_intervals:
    """Learn from the pseudo-experiments how intervals are calibrated."""
    input:
        workspace=f"{OUT}/workspaces/{{observable}}.json",
        pseudo_data=[
            f"{OUT}/coverage/{{observable}}/{i}.json"
            for i in range(CONFIG.coverage.batches)
        ],
    output:
        calibration=f"{OUT}/calibration/{{observable}}.json",
    log:
        f"{OUT}/logs/calibrate_intervals/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/calibrate_intervals/{{observable}}.tsv"
    script:
        "../../scripts/calibrate_intervals.py"


rule measure_coverage:
    """Stop if the intervals of the main observable do not hold the truth as often as promised."""
    input:
        report=f"{OUT}/coverage/{CONFIG.fit.observable}.json",
    log:
        f"{OUT}/logs/measure_coverage.log",
    benchmark:
        f"{OUT}/benchmarks/measure_coverage.tsv"
    script:
        "../../scripts/measure_coverage.py"


if LARGER is not None:
    follow_profile("larger_")

    module larger:
        snakefile:
            "../../Snakefile"
        config:
            LARGER_KEYS

    use rule * from larger as larger_*
