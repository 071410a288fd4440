"""pyhf workspaces and their fits."""


rule build_workspace:
    """Turn templates into a pyhf workspace; weak bins are merged first."""
    input:
        templates=TEMPLATES,
        transfer_factor=TRANSFER,
    output:
        workspace=f"{OUT}/workspaces/{{observable}}.json",
        record=f"{OUT}/workspaces/{{observable}}_record.json",
    log:
        f"{OUT}/logs/build_workspace/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/build_workspace/{{observable}}.tsv"
    params:
        config=fit_slice(),
    script:
        "../../scripts/build_workspace.py"


rule publish_workspace:
    """Copy the main workspace to where readers look for it."""
    input:
        workspace=f"{OUT}/workspaces/{CONFIG.fit.observable}.json",
    output:
        published=f"{OUT}/workspace.json",
    log:
        log_file("publish_workspace"),
    benchmark:
        benchmark_file("publish_workspace")
    script:
        "../../scripts/publish_workspace.py"


rule fit:
    """Fit a workspace: expected and observed signal strength."""
    input:
        workspace=f"{OUT}/workspaces/{{observable}}.json",
        record=f"{OUT}/workspaces/{{observable}}_record.json",
    output:
        result=f"{OUT}/fit/{{observable}}.json",
    log:
        f"{OUT}/logs/fit/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/fit/{{observable}}.tsv"
    params:
        confidence_level=CONFIG.fit.confidence_level,
        groups=systematic_groups(),
    script:
        "../../scripts/fit.py"


rule list_parameters:
    """List the parameters of a fit as a table; made on demand."""
    input:
        result=f"{OUT}/fit/{{observable}}.json",
    output:
        parameters=f"{OUT}/fit/{{observable}}_parameters.csv",
    log:
        f"{OUT}/logs/list_parameters/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/list_parameters/{{observable}}.tsv"
    script:
        "../../scripts/list_parameters.py"
