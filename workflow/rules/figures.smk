"""Figures: their names, captions and the slices of the configuration that they show."""

FIT_FIGURES = ("prefit", "postfit", "pulls", "correlation", "impacts")
TRAINING_FIGURES = ("learning_curves", "score", "roc")
WEIGHT_FIGURES = ("weights", "negative_fraction", "weight_closure")
DECORRELATION_FIGURES = ("decorrelation_scores", "decorrelation_tails")
SCAN_FIGURES = ("scan_auc", "scan_sigma", "scan_scores")
TUNING_FIGURES = ("tuning_trials", "tuning_importance")
PLOT_HEADER = {
    "label": CATALOGUE.label or CONFIG.experiment,
    "luminosity": total_luminosity(CONFIG, CATALOGUE),
    "energy": CONFIG.energy,
}


def figure(name, caption, category, key="", **labels):
    """Output files of a figure, named `pdf`, `png` and `json` after a prefix `key`."""
    files = plot(name)
    files["png"] = report(
        files["png"],
        caption=f"../report/{caption}.rst",
        category=category,
        labels=labels,
    )
    return {f"{key}{kind}": path for kind, path in files.items()}


def fit_figures():
    """Output files of the figures of a fit."""
    captions = {"prefit": "fit", "postfit": "fit"}
    files = {}
    for name in FIT_FIGURES:
        caption = captions.get(name, name)
        labels = {"Figure": name, "Observable": "{observable}"}
        files |= figure(f"{name}_{{observable}}", caption, "Fit", f"{name}_", **labels)
    return files


def training_figures():
    """Output files of the figures of the training."""
    captions = {"learning_curves": "training"}
    files = {}
    for name in TRAINING_FIGURES:
        caption = captions.get(name, name)
        files |= figure(name, caption, "Training", f"{name}_", Figure=name)
    return files


def weight_figures():
    """Output files of the figures of the event weights."""
    files = {}
    for name in WEIGHT_FIGURES:
        files |= figure(name, "weights", "Weights", f"{name}_", Figure=name)
    return files


def scan_figures():
    """Output files of the figures of the scan of λ."""
    files = {}
    for name in SCAN_FIGURES:
        files |= figure(name, "scan", "Training", f"{name}_", Figure=name)
    return files


def decorrelation_figures():
    """Output files of the figures of the score in control regions."""
    files = {}
    for name in DECORRELATION_FIGURES:
        files |= figure(name, "decorrelation", "Training", f"{name}_", Figure=name)
    return files


def quantity_units():
    """Quantity of the analysis to its unit."""
    return {name: quantity.unit for name, quantity in ANALYSIS.quantities.items()}


def tuning_figures():
    """Output files of the figures of the search."""
    files = {}
    for name in TUNING_FIGURES:
        files |= figure(name, "tuning", "Training", f"{name}_", Figure=name)
    return files


def control_figures():
    """Output files of the control plots, a page a region."""
    files = {}
    for region in CONFIG.regions:
        labels = {"Region": region}
        files |= figure(
            f"control_{region}", "control", "Control plots", f"{region}_", **labels
        )
    return files


def systematic_slice():
    """Templates of the systematics, and the labels of what they vary."""
    values = slice_config(CONFIG, "samples", "regions", "observables", "templates")
    values["systematics"] = {
        name: item.model_dump(mode="json", exclude={"source", "group"})
        for name, item in CONFIG.systematics.items()
        if item.kind != "rate"
    }
    return values


def plot_outputs():
    """PNG files of every figure."""
    names = ["cutflow"]
    if HAS_NETWORK:
        names += [*TRAINING_FIGURES, *WEIGHT_FIGURES, "importance"]
    if HAS_NETWORK and CONFIG.decorrelation.enabled:
        names += DECORRELATION_FIGURES
    if HAS_NETWORK and CONFIG.tuning.enabled:
        names += TUNING_FIGURES
    names += [f"{name}_{item}" for item in OBSERVABLES for name in FIT_FIGURES]
    if any(item.kind != "rate" for item in CONFIG.systematics.values()):
        names += [f"systematics_{item}" for item in OBSERVABLES]
    if CONFIG.control_plots:
        names += [f"control_{region}" for region in CONFIG.regions]
    return [plot(name)["png"] for name in names]
