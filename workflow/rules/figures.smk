"""What the figures of a run show: slices of the configuration, and which there are."""

PLOT_HEADER = make_header({CONFIG.analysis: (CONFIG, CATALOGUE)})


def of_classes():
    """Classes with names, and the events whose confusion is shown, if there are any."""
    classes = list(CONFIG.classes)
    return {"class": classes, "part": ["held_out"] if classes else []}


def quantity_units():
    """Quantity of the analysis to its unit."""
    return {name: quantity.unit for name, quantity in ANALYSIS.quantities.items()}


def fit_slice():
    """What the figures of a fit show."""
    values = slice_config(CONFIG, "samples", "regions", "observables")
    return {**values, **look_slice()}


def look_slice():
    """How signals are drawn; the style is a parameter of all rules that draw."""
    return {"plotting": CONFIG.plotting.model_dump(mode="json", include={"signal"})}


def control_slice():
    """Control plots, and what is uncertain in them."""
    values = slice_config(CONFIG, "samples", "regions", "control_plots")
    values["systematics"] = {
        name: item.model_dump(mode="json", exclude={"source", "group"})
        for name, item in CONFIG.systematics.items()
    }
    return {**values, **look_slice()}


def systematic_slice():
    """Templates of the systematics, and the labels of what they vary."""
    values = slice_config(CONFIG, "samples", "regions", "observables", "templates")
    values["systematics"] = {
        name: item.model_dump(mode="json", exclude={"source", "group"})
        for name, item in CONFIG.systematics.items()
        if item.has_templates
    }
    return values


def plotted_stages():
    """Stages whose figures a complete run has."""
    names = ["plot_cutflow"]
    if HAS_NETWORK:
        names += ["plot_weights", "rank_inputs"]
        if CONFIG.classifier.is_trained:
            names.insert(1, "plot_training")
    if HAS_NETWORK and CONFIG.decorrelation.enabled:
        names.append("check_decorrelation")
    if HAS_NETWORK and CONFIG.tuning.enabled:
        names.append("plot_tuning")
    names.append("plot_fit")
    if CROSS_CHECKS:
        names.append("compare_estimates")
    if len(CONFIG.fit.drawn_in_pairs) > 1:
        names += ["plot_contours", "plot_interests"]
    if CONFIG.fit.unfolding:
        names.append("plot_spectra")
    if any(item.has_templates for item in CONFIG.systematics.values()):
        names.append("plot_systematics")
    if CONFIG.control_plots:
        names.append("plot_control")
    return names


def plot_outputs():
    """PNG files of every figure."""
    places = {
        "observable": OBSERVABLES,
        "region": list(CONFIG.regions),
        "parameter": CONFIG.fit.drawn_in_pairs,
        "further": CONFIG.fit.drawn_in_pairs[1:],
        **of_classes(),
    }
    return [
        plot(item.path)["png"]
        for stage in plotted_stages()
        for item in declared(stage, **places)
    ]
