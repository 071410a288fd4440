"""Inputs and parameters of the rules: the slice of the configuration that each uses."""

import re

from taipan.jobs.slices import RunSlices

SLICES = RunSlices(CONFIG, ANALYSIS, bool(TRANSFORMED_WEIGHTS))


def simulation_settings():
    """Settings of the simulation, every dataset's size included."""
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


def simulated_ending():
    """Ending of the names of the files that the simulation writes."""
    return ".root" if CATALOGUE.table is None else ".parquet"


def input_of(chunk):
    """ROOT file of a chunk; the receipt if it is fetched, none if it is read elsewhere."""
    if CONFIG.remote.access == "stream":
        return []
    file = source_file(chunk.file)
    return file + RECEIPT if CONFIG.remote.access == "fetch" else file


def task_of(dataset, chunk):
    """What a skim job depends on besides its input and the code."""
    return {
        "chunk": asdict(chunk),
        "settings": settings_of(dataset),
        "folder": CONFIG.folder,
        "expected": CATALOGUE.dataset(dataset).expected(chunk.file),
        "on_bad_file": CONFIG.skim.on_bad_file,
    }


def tasks_of(dataset):
    """What each chunk of a dataset depends on."""
    return [task_of(dataset, chunk) for chunk in CHUNKS[dataset]]


def inputs_of(dataset):
    """ROOT files or receipts of the chunks of a dataset."""
    files = [input_of(chunk) for chunk in CHUNKS[dataset]]
    return [file for file in files if file]


def chunk_task(wildcards):
    """What a skim job depends on besides its input and the code."""
    return task_of(wildcards.dataset, CHUNKS[wildcards.dataset][int(wildcards.chunk)])


def chunk_file(wildcards):
    """ROOT file of a skim job, or its receipt."""
    return input_of(CHUNKS[wildcards.dataset][int(wildcards.chunk)])


def lumi_mask_of(dataset):
    """File of certified luminosity blocks, an input of the skim of data where it is set."""
    is_data = CATALOGUE.dataset(dataset).is_data
    mask = CONFIG.skim.lumi_mask
    return [local(mask)] if is_data and mask else []


def lumi_mask(wildcards):
    """File of certified luminosity blocks of a skim job."""
    return lumi_mask_of(wildcards.dataset)


@cache
def find_skim_code():
    """Hash of the code of the skim: one for both executors, which write the same bytes."""
    scripts = [ROOT / "scripts" / name for name in ("skim.py", "skim_dataset.py")]
    return code_version(*scripts, analysis=CONFIG.folder)


def skim_code(wildcards):
    """Hash of the code of a skim job."""
    return find_skim_code()


def any_catalogue_file():
    """Pattern of the names of the catalogue's files."""
    return "|".join(re.escape(name) for name in catalogue_files())


def expected_of_file(wildcards):
    """Size and checksums of a file of the catalogue."""
    return catalogue_files()[wildcards.file].expected(wildcards.file)


def reading_of(dataset):
    """How the tables of a dataset are read, nothing if its files are none."""
    if CATALOGUE.table is None:
        return {}
    entry = CATALOGUE.dataset(dataset)
    labels = [item.label for item in CATALOGUE.datasets.values() if item.label]
    found = {
        "format": CATALOGUE.table.model_dump(mode="json"),
        "label": entry.label,
        "labels": list(dict.fromkeys(labels)),
        "constants": entry.constants,
    }
    return {"table": found}


def archive_of_file(wildcards):
    """Archive on the mirrors that holds a file of the catalogue."""
    return CATALOGUE.archive


def archive_param():
    """The archive that files come in, nothing if they lie on the mirrors themselves."""
    return {} if CATALOGUE.archive is None else {"archive": archive_of_file}


@cache
def settings_of(dataset):
    """What the skim of a dataset depends on."""
    is_data = CATALOGUE.dataset(dataset).is_data
    return {
        **reading_of(dataset),
        "dataset": dataset,
        "is_data": is_data,
        "lumi_mask": CONFIG.skim.lumi_mask if is_data else None,
        "kind": CATALOGUE.kind if CATALOGUE.table is None else "tables",
        "envelope": derive_envelope(
            CONFIG.skim.envelope, ANALYSIS.shifts, CONFIG.systematics.values()
        ),
        "step_events": CONFIG.skim.step_events,
        **kept_lists(dataset),
    }


def kept_lists(dataset):
    """Branches of generator weights that are kept with the events, if any are needed."""
    branches = generator_branches(CONFIG, dataset)
    return {"weight_lists": branches} if branches else {}


def member_normalisation():
    """Normalisation with the means of generator weights, where templates need it."""
    return [NORMALISATION] if select_generator(CONFIG.systematics) else []


def expected_events(datasets):
    """Dataset to the entries of its unskimmed sample, None where only the file knows."""
    return {name: generated_events(name) for name in datasets}


def repeats_file(path):
    """Output of a normalisation that leaves out events that occur before."""
    return {"repeats": path} if CONFIG.skim.duplicates == "first" else {}


def dataset_skimmed(wildcards):
    """Parquet files of the skim of one dataset."""
    return skimmed_of(wildcards.dataset)


def dataset_repeats(wildcards):
    """Record of the events of one dataset that occur before."""
    return REPEATS_ALTERNATIVES if wildcards.dataset in ALTERNATIVES else REPEATS


def dataset_normalisation(wildcards):
    """Normalisation of one dataset."""
    is_alternative = wildcards.dataset in ALTERNATIVES
    return NORMALISATION_ALTERNATIVES if is_alternative else NORMALISATION


def of_network(wildcards, values):
    """Put the settings of a network in the place of those of `training`."""
    training = NETWORKS[wildcards.network.removeprefix(os.sep)]
    return {**values, "training": training.model_dump(mode="json")}


def own_keys(wildcards):
    """Keys in which a network differs from `training`; the search does not replace them."""
    return list_own_keys(CONFIG, wildcards.network.removeprefix(os.sep))


def network_slice(wildcards):
    """Configuration that decides which events a network is trained on, and how."""
    if not is_fine_tuned(wildcards):
        return of_network(wildcards, SLICES.training("classifier"))
    # such a loss is made of what the parameters of the fit do to events
    values = SLICES.training("classifier", "systematics", "weights", "fit")
    return of_network(wildcards, {**values, **SLICES.corrections(varied=True)})


def training_threads():
    """
    Cores of a training: two, or less where several networks share the cores of one machine.

    On a cluster each training has a job, and mostly a machine, of its own. The number of cores of
    such a run is not known (`workflow.cores` is an error there).
    """
    cores = workflow.resource_settings.cores
    if cores is None or workflow.remote_exec:
        return 2
    return max(1, min(2, cores // max(1, len(NETWORKS))))


def is_fine_tuned(wildcards):
    """Whether the loss of a network is one of the fit."""
    return NETWORKS[wildcards.network.removeprefix(os.sep)].is_fine_tuned


def shapes_of_network(wildcards):
    """Measured weights of events, an input of the training if variations are."""
    return [SHAPES] if is_fine_tuned(wildcards) else []


def pretraining_slice(wildcards):
    """The same for a training without adversary that others begin with."""
    values = of_network(wildcards, SLICES.training())
    for key in ("pretrain", "adversary", "decorrelate"):
        del values["training"][key]
    return values


def pretrained_files(wildcards):
    """File of each fold with the networks that a network begins with, if it does."""
    name = wildcards.network.removeprefix(os.sep)
    if not NETWORKS[name].pretrain.enabled:
        return []
    folder = f"{PRETRAINING}/pretrained{wildcards.network}"
    return [f"{folder}/fold{i}.npz" for i in FOLDS]


def gate_slice(wildcards):
    """The same with the conditions of the gate."""
    return of_network(wildcards, SLICES.training("overtraining", "classifier"))


def tuned_inputs():
    """Values found by the search, an input of the training if there is a search."""
    return {"best": BEST_HPS} if CONFIG.tuning.enabled else {}


def classifier_files():
    """ONNX files of a classifier that was made before."""
    return [local(path) for path in CONFIG.classifier.models]


def transformation():
    """Name of the seed of the weights; that of refined ones is not that of resampled ones."""
    is_refined = CONFIG.training.negative_weights == "refine"
    return "refine_weights" if is_refined else "transform_weights"


def judged_networks():
    """Networks that are judged in control regions: name to the ONNX file of each fold."""
    others = {
        name: [f"{folder}/fold{i}.onnx" for i in FOLDS]
        for name, folder in CONFIG.decorrelation.compare.items()
    }
    own = {name or OWN: models_of(name) for name in NETWORKS}
    return {**others, **own}


def nominal_correction_files():
    """Files of the corrections of the nominal."""
    files = [path for item in CONFIG.corrections.values() for path in item.paths]
    return [local(path) for path in dict.fromkeys(files)]


def correction_files():
    """Files of event weights; of the project, wherever the results are stored."""
    weights = [local(weight.file) for weight in CONFIG.weights.values() if weight.file]
    return [*weights, *nominal_correction_files()]


def chosen_edges():
    """File of chosen bin edges, if they are."""
    return [] if CONFIG.templates.binning.method == "none" else [EDGES]


def dropped_fold():
    """Fold of simulated events that chose the bin edges and is left out of the templates, if any."""
    binning = CONFIG.templates.binning
    return None if binning.method == "none" else binning.fold


def dataset_events(wildcards):
    """Parquet files of one dataset."""
    return events_of(wildcards.dataset)


def blinded_regions():
    """Regions whose data must not be looked at yet."""
    return [] if CONFIG.fit.unblind else overlapping_signal(CONFIG.regions)


def simulated_by_dataset():
    """Nominal simulated dataset to its Parquet files."""
    return {
        name: paths
        for name, paths in nominal_by_dataset().items()
        if name not in CONFIG.data
    }


def simulated_events():
    """Parquet files of every nominal simulated dataset."""
    return [path for paths in simulated_by_dataset().values() for path in paths]


@cache
def larger_by_dataset():
    """Nominal simulated dataset of the larger simulation to its Parquet files; none without one."""
    if LARGER is None:
        return {}
    catalogue = load_catalogue(LARGER)
    names = [
        name for name in nominal_datasets(LARGER, catalogue) if name not in LARGER.data
    ]
    chunks = chunks_of(LARGER, catalogue, names)
    return {name: events_in(LARGER_OUT, name, chunks) for name in names}


def checked_coverage(_):
    """The same, checked as only a run that measures the coverage needs it."""
    for problem in check_strengths(CONFIG):
        raise WorkflowError(f"The configuration is not valid.\n{problem}")
    return SLICES.coverage()


def systematic_groups():
    """Systematic to its group in the uncertainty breakdown."""
    return {name: item.group for name, item in CONFIG.systematics.items()}


def scan_seed(wildcards):
    """Seed of a training of the scan, the same for every λ."""
    return derive_seed(SEED, "scan", int(wildcards.number))


def scan_points():
    """Points of the scan: λ and the number of the seed."""
    return [
        f"{strength:g}_{number}"
        for strength in CONFIG.adversary_scan.values
        for number in range(CONFIG.adversary_scan.seeds)
    ]
