"""The summary of a run."""


rule summarize:
    """Put the results of the run together, for programs and for people."""
    input:
        **summary_inputs(),
    output:
        summary=SUMMARY[0],
        text=report(SUMMARY[1], caption="../report/summary.rst", category="Result"),
    log:
        log_file("summarize"),
    benchmark:
        benchmark_file("summarize")
    params:
        benchmarks=f"{OUT}/benchmarks",
        config=summary_slice(),
        identity=run_identity,
    script:
        "../../scripts/summarize.py"
