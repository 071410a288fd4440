"""Files of the figures that stages declare, with their captions in the report."""

from taipan.jobs.figures import expand_figures, read_figures


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
            labels=item.labels,
        )
        files |= {f"{item.key}_{kind}": path for kind, path in paths.items()}
    return files
