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
from snakemake.logging import logger

from taipan.analysis_selection import load_analysis
from taipan.certify.ledger import note_run
from taipan.checks.configuration import check_access, check_config
from taipan.checks.eras import check_eras, check_runs
from taipan.checks.generator_files import check_generator_files
from taipan.code_version import code_version
from taipan.config.era_slices import (
    identify_eras,
    list_correlations,
    list_groups,
    list_identities,
    list_normalisations,
    make_header,
    merge_sections,
    place_of_era,
)
from taipan.config.eras import load_eras, split_eras
from taipan.config.load import check_files, load_catalogue, load_config
from taipan.config.overlays import restore_empty
from taipan.config.slices import hash_catalogue, hash_config, slice_config
from taipan.errors import TaipanError
from taipan.results_owner import claim_results
from taipan.summary.eras import ALL_ERAS


include: "overlays.smk"


try:
    check_files(workflow.configfiles)
    MERGED = restore_empty(config, *overlays())
    CONFIG = load_config(MERGED, ROOT)
    OVERRIDES = split_eras(MERGED, ROOT)
    PERIODS = {
        name: (one, load_catalogue(one))
        for name, one in load_eras(MERGED, ROOT).items()
    }
    problems = list(check_eras(PERIODS))
    if problems:
        raise TaipanError("\n".join(problems))
except TaipanError as error:
    raise WorkflowError(f"The configuration is not valid.\n{error}") from None

OUT = f"{CONFIG.results}/{CONFIG.analysis}"
ONE = next(iter(PERIODS.values()))[0]
FITTED = ONE.fit.observable
IDENTITIES = list_identities(PERIODS)
PLOT_HEADER = make_header(PERIODS)
# Parameters of interest whose pairs have contours.
SEVERAL = ONE.fit.drawn_in_pairs if len(ONE.fit.drawn_in_pairs) > 1 else []


include: "shared.smk"


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


def note_fixed_of_eras():
    """Note in the ledger of each era what is fixed before its data are read."""
    for one, catalogue in PERIODS.values():
        calibrated = ["coverage"] if one.coverage.calibrate else []
        try:
            note_run(
                Path(place_of_era(one)),
                config=hash_config(one),
                catalogue=hash_catalogue(catalogue),
                code=code_version(*result_scripts(*calibrated), analysis=one.folder),
                gates=slice_config(one, "overtraining", "weight_check"),
            )
        except TaipanError as error:
            logger.warning(f"{error}; nothing is noted, as the certificate will say")


onstart:
    refuse_bad_eras()
    for folder in (OUT, *map(era_folder, PERIODS)):
        claim_results(Path(folder), ONE.folder)
    note_fixed_of_eras()


def era_folder(era):
    """Folder of the results of an era."""
    return place_of_era(PERIODS[era][0])


def of_eras(name):
    """A file of every era."""
    return [f"{era_folder(era)}/{name}" for era in PERIODS]


def by_era(name):
    """Era to this file of it."""
    return {era: [f"{era_folder(era)}/{name}"] for era in PERIODS}


def fitted_eras():
    """Name of a result to the file of its fit."""
    names = {ALL_ERAS: FITTED, **{era: f"{FITTED}_{era}" for era in PERIODS}}
    return {name: [f"{OUT}/fit/{file}.json"] for name, file in names.items()}


# Stages that draw the combined fit.
DRAWN = ["plot_fit"]
DRAWN += ["plot_contours", "plot_interests"] if SEVERAL else []
DRAWN += ["plot_spectra"] if ONE.fit.unfolding else []


def era_plots():
    """PNG files of the figures of the combined fit."""
    places = {"observable": [FITTED], "parameter": SEVERAL, "further": SEVERAL[1:]}
    return [
        plot(item.path)["png"] for stage in DRAWN for item in declared(stage, **places)
    ]


def era_identity(wildcards):
    """What was run: hashes of configuration, catalogue and code."""
    found = identify_eras(PERIODS)
    code = code_version(*result_scripts("eras"), analysis=ONE.folder)
    return {
        "analysis": CONFIG.analysis,
        "title": CONFIG.title,
        "luminosity": found["luminosity"],
        "provenance": {**found["provenance"], "code": code},
    }


def final_outputs():
    """Everything that a run of several eras leaves: of each era what a run of its own leaves."""
    return [f"{OUT}/summary.json", *era_plots(), *of_eras("summary.json")]


include: "modules.smk"


wildcard_constraints:
    fitted="[A-Za-z0-9_]+",
    observable="[A-Za-z0-9_]+",


rule combine_eras:
    """Put the workspaces of the eras into one; refuse events that are in two."""
    input:
        workspaces=of_eras(f"workspaces/{FITTED}.json"),
        records=of_eras(f"workspaces/{FITTED}_record.json"),
        identities=[path for paths in IDENTITIES.values() for path in paths],
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
        identities=IDENTITIES,
        correlations=list_correlations(PERIODS),
        common=list_normalisations(PERIODS),
        pois=ONE.fit.pois,
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
        groups=list_groups(PERIODS),
        impacts=ONE.fit.impacts,
    script:
        "../../scripts/fit.py"


rule summarise_eras:
    """Put the results of all eras, together and of each, side by side."""
    input:
        results=[path for paths in fitted_eras().values() for path in paths],
        record=f"{OUT}/workspaces/{FITTED}_record.json",
        after=era_plots(),
    output:
        summary=f"{OUT}/summary.json",
        text=report(
            f"{OUT}/summary.md",
            caption="../report/summary.rst",
            category="Result",
            labels=ERA,
        ),
    log:
        f"{OUT}/logs/summarise_eras.log",
    benchmark:
        f"{OUT}/benchmarks/summarise_eras.tsv"
    params:
        results=fitted_eras(),
        identity=era_identity,
        cross_section=ONE.fit.cross_section and ONE.fit.cross_section.model_dump(),
    script:
        "../../scripts/summarise_eras.py"


include: "eras_plots.smk"


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
