"""What the summary is made of, and what a complete run leaves."""


def summary_inputs():
    """Results that the summary puts together; the plots only so that it comes last."""
    files = {
        "fit": f"{OUT}/fit/{CONFIG.fit.observable}.json",
        "records": [f"{OUT}/workspaces/{name}_record.json" for name in OBSERVABLES],
        "gates": GATES,
        "yields": YIELDS,
        "transfer_factor": TRANSFER,
        "shown": first_page_figures("png"),
        "drawn": first_page_figures("json"),
        "after": plot_outputs(),
        "compared": [f"{OUT}/fit/{score}.json" for score in COMPARED],
        "skipped": [SKIPPED, *([SKIPPED_ALTERNATIVES] if ALTERNATIVES else [])],
    }
    if CONFIG.fit.reference:
        files["reference"] = f"{OUT}/fit/{CONFIG.fit.reference}.json"
    files["cross_checks"] = CROSS_CHECKS
    if IS_SIMULATED:
        files["truth"] = TRUTH
    if CONFIG.corrections:
        files["corrections"] = CLOSURE[0]
    if CONFIG.coverage.calibrate:
        files["calibration"] = f"{OUT}/calibration/{CONFIG.fit.observable}.json"
    if COMPARED and CONFIG.decorrelation.enabled:
        files["judgement"] = DECORRELATION
    return files


def first_page_figures(kind):
    """Files of the figures of the main fit that open the report and stand on the slides."""
    names = ["postfit", *(["spectra"] if CONFIG.fit.unfolding else [])]
    names += ["impacts", "breakdown"]
    return [f"{OUT}/plots/{name}_{CONFIG.fit.observable}.{kind}" for name in names]


def compared_scores():
    """Network to the observable that is its score, where several are compared."""
    return SCORES if COMPARED else {}


def scaled_datasets():
    """Parameter of interest to the nominal datasets of the samples that it multiplies."""
    signals = [name for name, item in CONFIG.samples.items() if item.role == "signal"]
    samples = {
        name: item.samples or (signals if not CONFIG.fit.parameters_of_interest else [])
        for name, item in CONFIG.fit.interests.items()
    }
    return {
        name: [
            dataset for sample in found for dataset in CONFIG.samples[sample].datasets
        ]
        for name, found in samples.items()
        if set(found) <= set(CONFIG.samples)
    }


def summary_slice():
    """Configuration that the summary shows or checks the results against."""
    values = slice_config(CONFIG, "analysis", "title", "fit")
    values["regions"] = SLICES.definitions()["regions"]
    return values


def run_identity(wildcards):
    """What was run: input, seed, and hashes of configuration and code."""
    calibrated = ["coverage"] if CONFIG.coverage.calibrate else []
    return {
        "catalogue": CATALOGUE.name,
        "luminosity": total_luminosity(CONFIG, CATALOGUE),
        "pseudo_data": not HAS_DATA,
        "seed": SEED,
        "config_hash": hash_config(CONFIG),
        "catalogue_hash": hash_catalogue(CATALOGUE),
        "code": code_version(*result_scripts(*calibrated), analysis=CONFIG.folder),
    }


def final_outputs():
    """Everything that a complete run leaves."""
    return [
        *SUMMARY,
        f"{OUT}/workspace.json",
        YIELDS,
        *(CLOSURE if CONFIG.corrections else []),
        *(f"{OUT}/fit/{name}.json" for name in OBSERVABLES),
        *MODELS,
        *other_models(),
        *plot_outputs(),
    ]
