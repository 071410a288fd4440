"""pyhf workspaces and their fits."""


rule build_workspace:
    """Turn templates into pyhf workspaces; weak bins are merged first."""
    input:
        templates=TEMPLATES,
        transfer_factor=TRANSFER,
    output:
        workspaces=[f"{OUT}/workspaces/{name}.json" for name in OBSERVABLES],
        records=[f"{OUT}/workspaces/{name}_record.json" for name in OBSERVABLES],
        published=f"{OUT}/workspace.json",
    log:
        log_file("build_workspace"),
    benchmark:
        benchmark_file("build_workspace")
    params:
        config=SLICES.fit(),
        observables=OBSERVABLES,
    script:
        "../../scripts/build_workspace.py"


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
    # before figures that nothing waits for
    priority: 1
    params:
        confidence_level=CONFIG.fit.confidence_level,
        groups=systematic_groups(),
        impacts=CONFIG.fit.impacts,
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
