"""What Snakemake merged into the configuration of this run."""


def overlays():
    """Files in the order in which they were merged, and the keys of the command line."""
    given = list(workflow.overwrite_configfiles)
    first = [path for path in workflow.configfiles if path not in given]
    return [*first, *given], workflow.config_settings.config
