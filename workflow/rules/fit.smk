"""pyhf workspaces and their fits."""


def fit_slice():
    """Configuration of the statistical model."""
    values = slice_config(
        CONFIG, "analysis", "samples", "regions", "systematics", "templates"
    )
    values["fit"] = CONFIG.fit.model_dump(mode="json", exclude={"confidence_level"})
    return values


rule build_workspace:
    """Turn templates into a pyhf workspace; weak bins are merged first."""
    input:
        templates=TEMPLATES,
        transfer=TRANSFER,
    output:
        workspace=f"{OUT}/workspaces/{{observable}}.json",
        record=f"{OUT}/workspaces/{{observable}}_record.json",
    params:
        config=fit_slice(),
        observable="{observable}",
        code=code_version("taipan.likelihood", "taipan.templates.store"),
    log:
        f"{OUT}/logs/build_workspace/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/build_workspace/{{observable}}.tsv"
    conda:
        ENVIRONMENT
    script:
        "../../scripts/build_workspace.py"


rule publish_workspace:
    """Copy the main workspace to where readers look for it."""
    input:
        f"{OUT}/workspaces/{CONFIG.fit.observable}.json",
    output:
        f"{OUT}/workspace.json",
    log:
        log_file("publish_workspace"),
    conda:
        ENVIRONMENT
    shell:
        "cp {input} {output} 2> {log}"


rule fit:
    """Fit a workspace: expected and observed signal strength."""
    input:
        workspace=f"{OUT}/workspaces/{{observable}}.json",
        record=f"{OUT}/workspaces/{{observable}}_record.json",
    output:
        result=f"{OUT}/fit/{{observable}}.json",
    params:
        confidence_level=CONFIG.fit.confidence_level,
        code=code_version("taipan.inference"),
    log:
        f"{OUT}/logs/fit/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/fit/{{observable}}.tsv"
    conda:
        ENVIRONMENT
    script:
        "../../scripts/fit.py"
