"""Figures, tables and the report."""


def final_outputs():
    """Everything that a complete run leaves."""
    return [f"{OUT}/fit/{name}.json" for name in OBSERVABLES]
