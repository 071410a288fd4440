"""The summary, and the list of what a complete run leaves."""

GATES = [OVERTRAINING]
# Where files lie and how much is read at a time does not change a result.
PLACES = {"results", "skims", "files"}
CHAIN = [
    *(["taipan.fastsim"] if IS_FASTSIM else []),
    CONFIG.module,
    "taipan.skim.run",
    "taipan.normalisation",
    "taipan.events.weights",
    "taipan.nn.train",
    "taipan.nn.collect",
    "taipan.nn.scorer",
    "taipan.nn.overtraining",
    "taipan.templates.fill",
    "taipan.templates.combine",
    "taipan.likelihood",
    "taipan.inference",
]


def summary_inputs():
    """Results that the summary puts together; the plots only so that it comes last."""
    files = {
        "fit": f"{OUT}/fit/{CONFIG.fit.observable}.json",
        "records": [f"{OUT}/workspaces/{name}_record.json" for name in OBSERVABLES],
        "gates": GATES,
        "yields": YIELDS,
        "transfer_factor": TRANSFER,
        "plots": plot_outputs(),
    }
    if CONFIG.fit.reference:
        files["reference"] = f"{OUT}/fit/{CONFIG.fit.reference}.json"
    if IS_FASTSIM:
        files["truth"] = TRUTH
    return files


def run_identity():
    """What was run: input, seed, and hashes of configuration and code."""
    return {
        "catalogue": CATALOGUE.name,
        "luminosity": total_luminosity(CONFIG, CATALOGUE),
        "seed": SEED,
        "config_hash": hash_content(CONFIG.model_dump(mode="json", exclude=PLACES)),
        "code": code_version(*CHAIN),
    }


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
    conda:
        ENVIRONMENT
    params:
        benchmarks=f"{OUT}/benchmarks",
        config=slice_config(CONFIG, "analysis", "title", "regions", "fit"),
        identity=run_identity(),
        code=code_version("taipan.summary"),
    script:
        "../../scripts/summarize.py"


def final_outputs():
    """Everything that a complete run leaves."""
    return [
        *SUMMARY,
        f"{OUT}/workspace.json",
        YIELDS,
        *(f"{OUT}/fit/{name}.json" for name in OBSERVABLES),
        *MODELS,
        *plot_outputs(),
    ]
