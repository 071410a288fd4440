"""Inputs and parameters of the rules: the slice of the configuration that each uses."""


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


def chunk_of(wildcards):
    """Entry range of a skim job."""
    return asdict(CHUNKS[wildcards.dataset][int(wildcards.chunk)])


def chunk_file(wildcards):
    """ROOT file of a skim job."""
    return source_file(CHUNKS[wildcards.dataset][int(wildcards.chunk)].file)


def lumi_mask(wildcards):
    """File of certified luminosity blocks, an input of the skim of data where it is set."""
    is_data = CATALOGUE.dataset(wildcards.dataset).is_data
    return [CONFIG.skim.lumi_mask] if is_data and CONFIG.skim.lumi_mask else []


def chunk_checksum(wildcards):
    """SHA-256 of the file of a skim job, where the catalogue has it."""
    file = CHUNKS[wildcards.dataset][int(wildcards.chunk)].file
    return CATALOGUE.dataset(wildcards.dataset).sha256.get(file)


def skim_settings(wildcards):
    """What the skim of a dataset depends on."""
    is_data = CATALOGUE.dataset(wildcards.dataset).is_data
    return {
        "dataset": wildcards.dataset,
        "is_data": is_data,
        "lumi_mask": CONFIG.skim.lumi_mask if is_data else None,
        "kind": CATALOGUE.kind,
        "envelope": CONFIG.skim.envelope,
        "step_events": CONFIG.skim.step_events,
    }


def definitions():
    """Samples and regions without what only plots need: a new colour re-runs no stage."""
    cosmetic = {"label", "colour"}
    return {
        key: {
            name: item.model_dump(mode="json", exclude=cosmetic)
            for name, item in getattr(CONFIG, key).items()
        }
        for key in ("samples", "regions")
    }


def expected_events(datasets):
    """Dataset to the entries of its unskimmed sample, None where only the file knows."""
    return {name: generated_events(name) for name in datasets}


def dataset_normalisation(wildcards):
    """Normalisation of one dataset."""
    is_alternative = wildcards.dataset in ALTERNATIVES
    return NORMALISATION_ALTERNATIVES if is_alternative else NORMALISATION


def training_slice(*more):
    """Configuration that decides which events are trained on, and how."""
    keys = ("module", "features", "categorical", "training")
    values = {**definitions(), **slice_config(CONFIG, *keys, *more)}
    # of the gate, training depends on the conditions alone
    conditions = CONFIG.overtraining.model_dump(mode="json", include={"conditions"})
    return {"overtraining": conditions, **values}


def tuned_inputs():
    """Values found by the search, an input of the training if there is a search."""
    return {"best": BEST_HPS} if CONFIG.tuning.enabled else {}


def template_slice(*keys):
    """Configuration of the templates: systematics without the rates, which need none."""
    values = {**definitions(), **slice_config(CONFIG, *keys, "observables")}
    values["control_plots"] = slice_config(CONFIG, "control_plots")["control_plots"]
    values["systematics"] = {
        name: item.model_dump(mode="json", exclude={"source", "group"})
        for name, item in CONFIG.systematics.items()
        if item.kind != "rate"
    }
    return values


def dataset_events(wildcards):
    """Parquet files of one dataset."""
    return events_of(wildcards.dataset)


def fit_slice():
    """Configuration of the statistical model."""
    values = {
        **definitions(),
        **slice_config(CONFIG, "analysis", "systematics", "templates"),
    }
    values["fit"] = CONFIG.fit.model_dump(mode="json", exclude={"confidence_level"})
    return values


def blinded_regions():
    """Regions whose data must not be looked at yet."""
    return [] if CONFIG.fit.unblind else overlapping_signal(CONFIG.regions)
