"""What runs of one data-taking period and of several share: scripts, and files of figures."""

from taipan.jobs.figures import expand_figures, read_figures

# By which figures of a run with eras are told apart in the report; an era is a module.
ERA_NAME = workflow.modifier.namespace or ("combined" if config.get("eras") else "")
ERA = {"Era": ERA_NAME} if ERA_NAME else {}


# Files of rules whose numbers the result is made of.
STAGES = (
    "datasets",
    "skim",
    "corrections",
    "tune",
    "train",
    "weights",
    "templates",
    "fit",
)


def script_of(rule):
    """Script of a rule."""
    return (Path(rule.snakefile).parent / rule.script).resolve()


def result_scripts(*more):
    """Scripts that make the numbers of the result: of the files of rules above, and of more."""
    return sorted(
        {
            script_of(rule)
            for rule in workflow.rules
            if rule.script and Path(rule.snakefile).stem in (*STAGES, *more)
        }
    )


def plot(name):
    """A figure as PDF and PNG, with its numbers."""
    return {kind: f"{OUT}/plots/{name}.{kind}" for kind in ("pdf", "png", "json")}


def declared(stage, **values):
    """Figures that a stage declares, one for each of the `values` in their names."""
    return expand_figures(read_figures(stage), **values)


def figures(stage, **values):
    """Output files of the figures of a stage: `<figure>_pdf`, `<figure>_png` and `<figure>_json`."""
    files = {}
    for item in declared(stage, **values):
        paths = plot(item.path)
        paths["png"] = report(
            paths["png"],
            caption=f"../report/{item.caption_file}",
            category=item.category,
            labels={**item.labels, **ERA},
        )
        files |= {f"{item.key}_{kind}": path for kind, path in paths.items()}
    return files
