"""Taipan: Open Data ntuples to a fitted signal strength."""

from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


container: "envs/taipan.sif"  # made from Containerfile; read with --sdm apptainer alone


report: "workflow/report/workflow.rst"


if config.get("eras"):

    include: "workflow/rules/eras.smk"

else:

    include: "workflow/rules/common.smk"
    include: "workflow/rules/parameters.smk"
    include: "workflow/rules/datasets.smk"
    include: "workflow/rules/skim.smk"
    include: "workflow/rules/corrections.smk"
    include: "workflow/rules/shared.smk"
    include: "workflow/rules/figures.smk"
    include: "workflow/rules/modules.smk"

    if HAS_NETWORK:

        include: "workflow/rules/tune.smk"
        include: "workflow/rules/pretrain.smk"
        include: "workflow/rules/train.smk"
        include: "workflow/rules/weights.smk"
        include: "workflow/rules/decorrelation.smk"
        include: "workflow/rules/adversary.smk"
        include: "workflow/rules/plots_training.smk"
        include: "workflow/rules/robustness.smk"
    include: "workflow/rules/templates.smk"
    include: "workflow/rules/fit.smk"
    include: "workflow/rules/coverage.smk"
    include: "workflow/rules/plots.smk"
    include: "workflow/rules/outputs.smk"
    include: "workflow/rules/report.smk"
    include: "workflow/rules/rerun.smk"  # the last: it looks at all rules


rule all:
    """Make everything a run promises."""
    default_target: True
    input:
        final_outputs(),
