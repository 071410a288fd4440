"""Runs within a run: their rules are those of a run of its own, with a name before theirs."""

from snakemake import __version__ as snakemake_version
from snakemake.exceptions import WorkflowError


def follow_profile(prefix):
    """Let the rules of a run within this one have what the profile says of those without prefix."""
    for table in ("_parsed_overwrite_threads", "_parsed_overwrite_resources"):
        of_rules = getattr(workflow.resource_settings, table, None)
        if of_rules is None:
            raise WorkflowError(
                f"snakemake: {snakemake_version} keeps what the profile says of rules in another "
                "way; install the version of requirements.lock"
            )
        for rule_name in list(of_rules):
            of_rules.setdefault(f"{prefix}{rule_name}", of_rules[rule_name])
