"""Several data-taking periods: a run of each, and one workspace of all.

The rules of an era are those of a run of its own, with its name before theirs.
"""

from pathlib import Path

from taipan.import_path import drop_folder

ROOT = Path(workflow.basedir)
drop_folder(ROOT)
drop_folder()

from functools import cache

from snakemake.exceptions import WorkflowError

from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_access, check_config
from taipan.checks.eras import check_eras, check_runs
from taipan.checks.generator_files import check_generator_files
from taipan.code_version import code_version
from taipan.config.eras import load_eras, split_eras
from taipan.config.load import check_files, load_catalogue, load_config
from taipan.datasets import data_datasets, plan_chunks
from taipan.errors import TaipanError
from taipan.results_owner import claim_results
from taipan.stages.summarise_eras import COMBINED

try:
    check_files(workflow.configfiles)
    CONFIG = load_config(config, ROOT)
    OVERRIDES = split_eras(config, ROOT)
    PERIODS = {
        name: (one, load_catalogue(one))
        for name, one in load_eras(config, ROOT).items()
    }
    problems = list(check_eras(PERIODS))
    if problems:
        raise TaipanError("\n".join(problems))
except TaipanError as error:
    raise WorkflowError(f"The configuration is not valid.\n{error}") from None

OUT = f"{CONFIG.results}/{CONFIG.analysis}"
ONE = next(iter(PERIODS.values()))[0]
FITTED = ONE.fit.observable


def refuse_bad_eras():
    """Stop a run whose files or folders are wrong, before its first job."""
    for name, (one, catalogue) in PERIODS.items():
        for problem in (
            *check_access(one, writes=True),
            *check_generator_files(one, catalogue),
        ):
            raise WorkflowError(
                f"The configuration is not valid.\neras.{name}: {problem}"
            )
    for problem in check_runs(PERIODS):
        raise WorkflowError(f"The configuration is not valid.\n{problem}")


onstart:
    refuse_bad_eras()
    for folder in (OUT, *map(era_folder, PERIODS)):
        claim_results(Path(folder), ONE.folder)


def script_of(rule):
    """Script of a rule."""
    return (Path(rule.snakefile).parent / rule.script).resolve()


def era_folder(era):
    """Folder of the results of an era."""
    one = PERIODS[era][0]
    return f"{one.results}/{one.analysis}"


def of_eras(name):
    """A file of every era."""
    return [f"{era_folder(era)}/{name}" for era in PERIODS]


def by_era(name):
    """Era to this file of it."""
    return {era: [f"{era_folder(era)}/{name}"] for era in PERIODS}


def era_identities():
    """Era and dataset of collision data to the lists of its events; simulations number alike."""
    found = {}
    for era, (one, catalogue) in PERIODS.items():
        if catalogue.kind == "simulation":
            continue
        for name in data_datasets(one, catalogue):
            entry = catalogue.dataset(name)
            events = None if catalogue.kind == "skims" else entry.generated_events
            chunks = plan_chunks(entry, events, one.skim.chunk_events)
            folder = f"{era_folder(era)}/identities/{name}"
            found[f"{era}:{name}"] = [
                f"{folder}/{i}.parquet" for i in range(len(chunks))
            ]
    return found


def era_correlations():
    """Systematic to its key `eras`."""
    return {
        name: item.eras
        for one, _ in PERIODS.values()
        for name, item in one.systematics.items()
    }


def era_groups():
    """Parameter, in an era or common, to its group in the uncertainty breakdown."""
    found = {}
    for era, (one, _) in PERIODS.items():
        for name, item in one.systematics.items():
            own = item.eras.get(era) if isinstance(item.eras, dict) else name
            found |= {
                own or name: item.group,
                name: item.group,
                f"{era}_{name}": item.group,
            }
    return found


def fitted_eras():
    """Name of a result to the file of its fit."""
    names = {COMBINED: FITTED, **{era: f"{FITTED}_{era}" for era in PERIODS}}
    return {name: [f"{OUT}/fit/{file}.json"] for name, file in names.items()}


def final_outputs():
    """Everything that a run of several eras leaves: of each era what a run of its own leaves."""
    return [f"{OUT}/summary.json", *of_eras("summary.json")]


include: "modules.smk"


wildcard_constraints:
    fitted="[A-Za-z0-9_]+",


rule combine_eras:
    """Put the workspaces of the eras into one; refuse events that are in two."""
    input:
        workspaces=of_eras(f"workspaces/{FITTED}.json"),
        records=of_eras(f"workspaces/{FITTED}_record.json"),
        identities=[path for paths in era_identities().values() for path in paths],
    output:
        combined=f"{OUT}/workspaces/{FITTED}.json",
        record=f"{OUT}/workspaces/{FITTED}_record.json",
        parts=[f"{OUT}/workspaces/{FITTED}_{era}.json" for era in PERIODS],
        part_records=[f"{OUT}/workspaces/{FITTED}_{era}_record.json" for era in PERIODS],
    log:
        f"{OUT}/logs/combine_eras.log",
    benchmark:
        f"{OUT}/benchmarks/combine_eras.tsv"
    params:
        workspaces=by_era(f"workspaces/{FITTED}.json"),
        records=by_era(f"workspaces/{FITTED}_record.json"),
        identities=era_identities(),
        correlations=era_correlations(),
        common=sorted(
            {
                name
                for one, _ in PERIODS.values()
                for name in one.fit.free_normalisations
            }
        ),
        poi=ONE.fit.poi,
    script:
        "../../scripts/combine_eras.py"


rule fit_eras:
    """Fit the workspace of all eras, or the part of one of them."""
    input:
        workspace=f"{OUT}/workspaces/{{fitted}}.json",
        record=f"{OUT}/workspaces/{{fitted}}_record.json",
    output:
        result=f"{OUT}/fit/{{fitted}}.json",
    log:
        f"{OUT}/logs/fit/{{fitted}}.log",
    benchmark:
        f"{OUT}/benchmarks/fit/{{fitted}}.tsv"
    params:
        confidence_level=ONE.fit.confidence_level,
        groups=era_groups(),
    script:
        "../../scripts/fit.py"


rule summarise_eras:
    """Put the results of all eras, together and of each, side by side."""
    input:
        results=[path for paths in fitted_eras().values() for path in paths],
        record=f"{OUT}/workspaces/{FITTED}_record.json",
    output:
        summary=f"{OUT}/summary.json",
        text=report(
            f"{OUT}/summary.md", caption="../report/summary.rst", category="Result"
        ),
    log:
        f"{OUT}/logs/summarise_eras.log",
    benchmark:
        f"{OUT}/benchmarks/summarise_eras.tsv"
    params:
        results=fitted_eras(),
        title=CONFIG.title,
    script:
        "../../scripts/summarise_eras.py"


for era_name in PERIODS:
    era_prefix = f"{era_name}_"
    follow_profile(era_prefix)

    module:
        name: era_name
        snakefile:
            "../../Snakefile"
        config:
            OVERRIDES[era_name]

    use rule * from era_name as era_prefix*


include: "rerun.smk"
