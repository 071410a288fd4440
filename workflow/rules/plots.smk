"""Figures, each as PDF and PNG with its numbers as JSON."""

FIT_FIGURES = ("prefit", "postfit", "pulls", "correlation")
TRAINING_FIGURES = ("learning_curves", "score", "roc")
PLOT_HEADER = {
    "label": "Taipan fastsim" if IS_FASTSIM else "CMS Open Data",
    "luminosity": total_luminosity(CONFIG, CATALOGUE),
    "energy": 8.0,  # TeV, centre of mass, 2012
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


def hides_data(wildcards):
    """Whether the data of a region must not be seen yet."""
    return not CONFIG.fit.unblind and CONFIG.regions[wildcards.region].role == "signal"


def plot_outputs():
    """PNG files of every figure."""
    names = ["cutflow", *TRAINING_FIGURES]
    names += [f"{name}_{item}" for item in OBSERVABLES for name in FIT_FIGURES]
    if any(item.kind != "rate" for item in CONFIG.systematics.values()):
        names += [f"systematics_{item}" for item in OBSERVABLES]
    if CONFIG.control_plots:
        names += [f"control_{region}" for region in CONFIG.regions]
    return [plot(name)["png"] for name in names]


rule plot_cutflow:
    """Draw the events of each dataset after each cut."""
    input:
        cutflow=CUTFLOW,
        normalisation=NORMALISATION,
    output:
        **figure("cutflow", "cutflow", "Selection", Figure="cutflow"),
    log:
        log_file("plot_cutflow"),
    benchmark:
        benchmark_file("plot_cutflow")
    conda:
        ENVIRONMENT
    params:
        header=PLOT_HEADER,
        code=code_version("taipan.plotting.cutflow"),
    script:
        "../../scripts/plot_cutflow.py"


rule plot_control:
    """Draw data and prediction of every control quantity in one region."""
    input:
        control=CONTROL,
    output:
        **figure("control_{region}", "control", "Control plots", Region="{region}"),
    log:
        f"{OUT}/logs/plot_control/{{region}}.log",
    benchmark:
        f"{OUT}/benchmarks/plot_control/{{region}}.tsv"
    wildcard_constraints:
        region="[A-Za-z0-9_]+",
    conda:
        ENVIRONMENT
    params:
        config=slice_config(CONFIG, "samples", "regions", "control_plots"),
        region="{region}",
        blinded=hides_data,
        header=PLOT_HEADER,
        code=code_version("taipan.plotting.control", "taipan.templates.store"),
    script:
        "../../scripts/plot_control.py"


rule plot_training:
    """Draw learning curves, scores and ROC curve of the networks."""
    input:
        record=TRAINING_RECORD,
        verdict=OVERTRAINING,
    output:
        **training_figures(),
    log:
        log_file("plot_training"),
    benchmark:
        benchmark_file("plot_training")
    conda:
        ENVIRONMENT
    params:
        header=PLOT_HEADER,
        code=code_version("taipan.plotting.training"),
    script:
        "../../scripts/plot_training.py"


rule plot_systematics:
    """Draw the templates of the systematic uncertainties of one observable."""
    input:
        templates=TEMPLATES,
    output:
        **figure(
            "systematics_{observable}",
            "systematics",
            "Systematic uncertainties",
            Observable="{observable}",
        ),
    log:
        f"{OUT}/logs/plot_systematics/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/plot_systematics/{{observable}}.tsv"
    conda:
        ENVIRONMENT
    params:
        config=template_slice(),
        observable="{observable}",
        header=PLOT_HEADER,
        code=code_version("taipan.plotting.systematics", "taipan.templates.store"),
    script:
        "../../scripts/plot_systematics.py"


rule plot_fit:
    """Draw one fit: distributions before and after, pulls and correlations."""
    input:
        result=f"{OUT}/fit/{{observable}}.json",
    output:
        **fit_figures(),
    log:
        f"{OUT}/logs/plot_fit/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/plot_fit/{{observable}}.tsv"
    conda:
        ENVIRONMENT
    params:
        config=slice_config(CONFIG, "samples", "regions", "observables"),
        header=PLOT_HEADER,
        code=code_version("taipan.plotting.fit", "taipan.plotting.parameters"),
    script:
        "../../scripts/plot_fit.py"
