"""The summary of a run, and its place in Snakemake's report."""

from taipan.report_page import escape_report, open_with

escape_report()  # texts of the configuration are data on that page, whatever they hold
open_with(SUMMARY[2])


rule summarize:
    """Put the results of the run together, for programs and for people."""
    input:
        **summary_inputs(),
    output:
        summary=SUMMARY[0],
        text=report(SUMMARY[1], caption="../report/summary.rst", category="Result"),
        page=SUMMARY[2],
        slides=report(SUMMARY[3], caption="../report/slides.rst", category="Result"),
    log:
        log_file("summarize"),
    benchmark:
        benchmark_file("summarize")
    params:
        benchmarks=f"{OUT}/benchmarks",
        config=summary_slice(),
        scores=compared_scores(),
        scaled=scaled_datasets(),
        identity=run_identity,
    script:
        "../../scripts/summarize.py"
