"""What the summary is made of, and what a complete run leaves."""


def summary_inputs():
    """Results that the summary puts together; the plots only so that it comes last."""
    files = {
        "fit": f"{OUT}/fit/{CONFIG.fit.observable}.json",
        "records": [f"{OUT}/workspaces/{name}_record.json" for name in OBSERVABLES],
        "gates": [OVERTRAINING, WEIGHT_VERDICT],
        "yields": YIELDS,
        "transfer_factor": TRANSFER,
        "plots": plot_outputs(),
        "skipped": [SKIPPED, *([SKIPPED_ALTERNATIVES] if ALTERNATIVES else [])],
    }
    if CONFIG.fit.reference:
        files["reference"] = f"{OUT}/fit/{CONFIG.fit.reference}.json"
    if IS_FASTSIM:
        files["truth"] = TRUTH
    return files


def summary_slice():
    """Configuration that the summary shows or checks the results against."""
    values = slice_config(CONFIG, "analysis", "title", "fit")
    values["regions"] = definitions()["regions"]
    return values


def run_identity():
    """What was run: input, seed, and hashes of configuration and code."""
    chain = [
        *(["taipan.fastsim"] if IS_FASTSIM else []),
        CONFIG.module,
        "taipan.skim.executor",
        "taipan.normalisation",
        "taipan.events.weights",
        "taipan.events.shapes",
        "taipan.nn.train",
        "taipan.nn.inputs",
        "taipan.nn.scorer",
        "taipan.nn.overtraining",
        "taipan.nn.weights.check",
        "taipan.templates.fill",
        "taipan.templates.combine",
        "taipan.templates.residual",
        "taipan.likelihood",
        "taipan.inference",
    ]
    return {
        "catalogue": CATALOGUE.name,
        "luminosity": total_luminosity(CONFIG, CATALOGUE),
        "seed": SEED,
        "config_hash": hash_config(CONFIG),
        "code": code_version(*chain),
    }


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
