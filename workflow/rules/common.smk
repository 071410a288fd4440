"""Configuration and the names of all files: each path is written here, once."""

import os
from pathlib import Path

from taipan.import_path import drop_folder

ROOT = Path(workflow.basedir)
# Snakemake puts the folder of the Snakefile first on the path: a file pyhf.py in it would run in
# place of the library.
drop_folder(ROOT)
drop_folder()

from dataclasses import asdict
from functools import cache

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from taipan.analysis_selection import load_analysis
from taipan.checks.coverage import check_strengths
from taipan.checks.decorrelation import OWN
from taipan.checks.eras import check_one_period
from taipan.checks.configuration import check_access, check_config
from taipan.checks.generator_files import check_generator_files
from taipan.checks.larger import check_larger_run
from taipan.checks.pretraining import check_pretraining_run
from taipan.certify.ledger import note_run
from taipan.config.era_slices import make_header
from taipan.config.larger import load_larger, split_larger
from taipan.config.load import check_files, load_catalogue, load_config
from taipan.config.overlays import restore_empty
from taipan.config.networks import (
    find_result,
    list_own_keys,
    list_scores,
    list_trainings,
)
from taipan.config.pretraining import load_source, split_source
from taipan.config.slices import hash_catalogue, hash_config, slice_config
from taipan.datasets import (
    count_generated,
    mirrors_of,
    nominal_datasets,
    plan_chunks,
    source_folder,
    total_luminosity,
    used_datasets,
)
from taipan.dry_run import plan_without_writing
from taipan.errors import TaipanError
from taipan.estimates.registry import list_cross_checks
from taipan.events.blinding import overlapping_signal
from taipan.nn.weights.transform import STORED
from taipan.code_version import code_version
from taipan.remote.fetch import RECEIPT
from taipan.results_owner import claim_results
from taipan.seeds import derive_seed
from taipan.skim.envelope import derive_envelope
from taipan.systematics.members import generator_branches, select_generator


include: "overlays.smk"


try:
    check_files(workflow.configfiles)
    # the configuration of an era, a module, is complete
    MERGED = (
        config if workflow.modifier.namespace else restore_empty(config, *overlays())
    )
    CONFIG = load_config(MERGED, ROOT)
    CATALOGUE = load_catalogue(CONFIG)
    ANALYSIS = load_analysis(CONFIG.folder, CONFIG.quantities)
    check_config(CONFIG, CATALOGUE, ANALYSIS, writes=False)
    # an era is a module, with the correlations of all
    for problem in () if workflow.modifier.namespace else check_one_period(CONFIG):
        raise TaipanError(problem)
    SOURCE_KEYS = split_source(MERGED, ROOT)
    SOURCE = load_source(SOURCE_KEYS, ROOT)
    if SOURCE is not None:
        check_pretraining_run(CONFIG, CATALOGUE, SOURCE)
    LARGER_KEYS = split_larger(MERGED, CONFIG)
    LARGER = load_larger(LARGER_KEYS, ROOT)
    if LARGER is not None:
        check_larger_run(CONFIG, CATALOGUE, LARGER)
except TaipanError as error:
    raise WorkflowError(f"The configuration is not valid.\n{error}") from None


def refuse_unwritable():
    """Stop a run whose results cannot be written; a dry run only looks."""
    for problem in check_access(CONFIG, writes=True):
        raise WorkflowError(f"The configuration is not valid.\n{problem}")


plan_without_writing(refuse_unwritable)


def refuse_bad_weights():
    """Stop a run whose files lack generator weights that systematics need."""
    problems = list(check_generator_files(CONFIG, CATALOGUE))
    if problems:
        lines = "\n".join(problems)
        raise WorkflowError(f"The configuration is not valid.\n{lines}")


def note_fixed():
    """Note in the ledger what is fixed before the data of the signal region are read."""
    identity = run_identity(None)
    try:
        note_run(
            Path(OUT),
            config=identity["config_hash"],
            catalogue=identity["catalogue_hash"],
            code=identity["code"],
            gates=slice_config(CONFIG, "overtraining", "weight_check"),
        )
    except TaipanError as error:
        logger.warning(f"{error}; nothing is noted, as the certificate will say")


onstart:
    refuse_unwritable()
    refuse_bad_weights()
    claim_results(Path(OUT), CONFIG.folder)
    note_fixed()
    for folder in filter(None, (PRETRAINING, LARGER_OUT)):
        claim_results(Path(folder), CONFIG.folder)


def shared_threads():
    """
    Threads of a training that shares the cores of this machine with those of other networks.

    The trainings of a run take different times. With a thread more than the cores that a job has,
    the last of them uses the cores that the others have left.
    """
    cores = workflow.resource_settings.cores
    return 1 if cores is None or workflow.remote_exec else min(2, cores)


# Where and how patiently files are read, and by whom, changes no result. It is no parameter of a
# rule, which would run finished jobs again; stages get it all the same, see `taipan.jobs.bind`.
config["unrecorded"] = {
    "remote": {
        **CONFIG.remote.model_dump(mode="json"),
        "mirrors": mirrors_of(CONFIG, CATALOGUE),
    },
    "dask_scheduler": CONFIG.skim.dask_scheduler,
    "shared_threads": shared_threads(),
}


def place_of(one):
    """Folder of the results of a run, this one or one within it; none if there is no such run."""
    return one and f"{one.results}/{one.analysis}"


OUT = place_of(CONFIG)
PRETRAINING, LARGER_OUT = place_of(SOURCE), place_of(LARGER)
IS_SIMULATED = CATALOGUE.kind == "simulation"
SEED = CONFIG.seed
HAS_NETWORK = bool(CONFIG.features)
FOLDS = range(CONFIG.training.folds if HAS_NETWORK else 0)
NETWORKS = list_trainings(CONFIG)
RESULT = find_result(CONFIG)
SCORES = list_scores(CONFIG)
COMPARED = [
    score
    for name, score in SCORES.items()
    if name != RESULT and CONFIG.fit.observable == SCORES[RESULT]
]
OBSERVABLES = list(
    dict.fromkeys(
        [
            CONFIG.fit.observable,
            *COMPARED,
            *([CONFIG.fit.reference] if CONFIG.fit.reference else []),
        ]
    )
)


def generated_events(dataset):
    """Entries of the unskimmed dataset, None where only the file knows."""
    return count_generated(CONFIG, CATALOGUE, dataset)


DATASETS = used_datasets(CONFIG, CATALOGUE)
NOMINAL = nominal_datasets(CONFIG, CATALOGUE)
HAS_DATA = CATALOGUE.pseudo_data is None  # else the nominal simulation stands for them
ALTERNATIVES = [name for name in DATASETS if name not in NOMINAL]


def chunks_of(one, catalogue, datasets):
    """Dataset to the chunks that its files are read in, of this run or of one within it."""
    return {
        name: plan_chunks(
            catalogue.dataset(name),
            count_generated(one, catalogue, name),
            one.skim.chunk_events,
        )
        for name in datasets
    }


CHUNKS = chunks_of(CONFIG, CATALOGUE, DATASETS)


def catalogue_files():
    """File name to its dataset."""
    return {
        file: entry for entry in CATALOGUE.datasets.values() for file in entry.files
    }


def log_file(name):
    """Log of a rule."""
    return f"{OUT}/logs/{name}.log"


def benchmark_file(name):
    """Time and memory of a rule."""
    return f"{OUT}/benchmarks/{name}.tsv"


def source_file(name):
    """Input ROOT file."""
    return str(source_folder(CONFIG, CATALOGUE) / name)


def skimmed_of(dataset):
    """Parquet files that the skim of a dataset makes, a file a chunk."""
    return skimmed_in(OUT, dataset, CHUNKS)


def skimmed_in(folder, dataset, chunks):
    """The same in the results of a run."""
    return [
        f"{folder}/events/{dataset}/{i}.parquet" for i in range(len(chunks[dataset]))
    ]


def events_of(dataset):
    """Parquet files of the events of a dataset that count."""
    return events_in(OUT, dataset, CHUNKS)


def events_in(folder, dataset, chunks):
    """The same in the results of a run; all runs treat duplicates alike."""
    if CONFIG.skim.duplicates == "first":
        return [f"{folder}/events_once/{dataset}.parquet"]
    return skimmed_in(folder, dataset, chunks)


def identities_of(dataset):
    """Lists of the events that were read of a dataset, a file a chunk."""
    return [
        f"{OUT}/identities/{dataset}/{i}.parquet" for i in range(len(CHUNKS[dataset]))
    ]


def cutflows_of(dataset):
    """Cutflows of a dataset, a file a chunk."""
    return [f"{OUT}/cutflow/{dataset}/{i}.json" for i in range(len(CHUNKS[dataset]))]


def normalisation_in(folder):
    """Normalisation of the nominal datasets in the results of a run."""
    return f"{folder}/normalisation.json"


def nominal_by_dataset():
    """Nominal dataset to its Parquet files."""
    return {name: events_of(name) for name in NOMINAL}


def nominal_events():
    """Parquet files of every nominal dataset."""
    return [path for paths in nominal_by_dataset().values() for path in paths]


def in_folder(network):
    """Part of a path that says which network a file is of; empty if there is only one."""
    return os.sep + network if network else ""


def models_of(network):
    """ONNX file of each fold of a network."""
    return [f"{OUT}/models{in_folder(network)}/fold{i}.onnx" for i in FOLDS]


def other_models():
    """ONNX files of the networks that are not the result."""
    return [path for paths in OTHER_MODELS.values() for path in paths]


def scoring_models(wildcards):
    """ONNX files of the networks whose score an observable is."""
    return OTHER_MODELS.get(wildcards.observable, MODELS)


NORMALISATION = normalisation_in(OUT)
CUTFLOW = f"{OUT}/cutflow/cutflow.json"
CUTFLOW_TABLE = f"{OUT}/cutflow/cutflow.csv"
NORMALISATION_ALTERNATIVES = f"{OUT}/normalisation_alternatives.json"
CUTFLOW_ALTERNATIVES = f"{OUT}/cutflow/cutflow_alternatives.json"
CUTFLOW_TABLE_ALTERNATIVES = f"{OUT}/cutflow/cutflow_alternatives.csv"
SKIPPED = f"{OUT}/cutflow/skipped.json"
SKIPPED_ALTERNATIVES = f"{OUT}/cutflow/skipped_alternatives.json"
REPEATS = f"{OUT}/cutflow/repeats.json"
REPEATS_ALTERNATIVES = f"{OUT}/cutflow/repeats_alternatives.json"
PILEUP = f"{OUT}/corrections/pileup.json"
TRANSFER = f"{OUT}/corrections/transfer_factor.json"
SHAPES = f"{OUT}/corrections/shapes.json"
CROSS_CHECKS = (
    [f"{OUT}/templates/cross_checks.json"] if list_cross_checks(CONFIG.samples) else []
)
TRUTH = f"{OUT}/simulation/truth.json"
BEST_HPS = f"{OUT}/tuning/best_hps.json"
TRIALS = f"{OUT}/tuning/trials.csv"
SELECTION = f"{OUT}/tuning/selection.json"
MODELS = models_of(RESULT)
OTHER_MODELS = {
    score: models_of(name) for name, score in SCORES.items() if name != RESULT
}
TRAINING_RECORD = f"{OUT}/models{in_folder(RESULT)}/training.json"
WEIGHTS = f"{OUT}/weights/diagnostics.json"
WEIGHT_VERDICT = f"{OUT}/gates/check_weights/verdict.json"
TRANSFORMED_WEIGHTS = (
    [f"{OUT}/weights/{CONFIG.training.negative_weights}.parquet"]
    if CONFIG.training.negative_weights in STORED
    else []
)
OVERTRAINING = f"{OUT}/gates/check_overtraining{in_folder(RESULT)}/verdict.json"
GATES = [
    *(
        f"{OUT}/gates/check_overtraining{in_folder(name)}/verdict.json"
        for name in NETWORKS
    ),
    *([WEIGHT_VERDICT] if HAS_NETWORK else []),
]
EDGES = f"{OUT}/templates/binning.json"
TEMPLATES = f"{OUT}/templates/templates.zip"
CONTROL = f"{OUT}/templates/control.zip"
DECORRELATION = f"{OUT}/decorrelation/decorrelation.json"
RESIDUALS = f"{OUT}/templates/residuals.json"
YIELDS = f"{OUT}/yields.csv"
CLOSURE = [f"{OUT}/corrections/closure.json", f"{OUT}/corrections/closure.csv"]
SUMMARY = [f"{OUT}/summary.{kind}" for kind in ("json", "md", "html", "pdf")]


wildcard_constraints:
    dataset="[A-Za-z0-9_]+",
    chunk=r"\d+",
    strength=r"[0-9.e+-]+",
    number=r"\d+",
    observable="[A-Za-z0-9_]+",
    network="(/[A-Za-z][A-Za-z0-9_]*)?",
