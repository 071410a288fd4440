"""What the networks look at, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def write_explanation(content: Mapping[str, Any]) -> str:
    """Write the page of the stage `explain`.

    Parameters
    ----------
    content
        What the stage writes as JSON (``docs/explaining.md``).
    """
    found = content["importances"]
    ordered = sorted(found, key=lambda name: -found[name]["conditional"][0])
    lines = [
        "# What the networks look at",
        "",
        "Loss of AUC of held-out events, when a feature is exchanged among like events and when it "
        "is shuffled; and the mean size of what it adds to the score of background and signal:",
        "",
        "| feature | exchanged | shuffled | background | signal |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in ordered:
        item, added = found[name], content["attributions"][name]
        lines.append(
            f"| {name} | {item['conditional'][0]:+.4f} ± {item['conditional'][1]:.4f} | "
            f"{item['shuffled'][0]:+.4f} ± {item['shuffled'][1]:.4f} | "
            f"{added['background'][0]:.3f} | {added['signal'][0]:.3f} |"
        )
    lines += [
        "",
        f"What the features add is the whole score, within {content['largest_gap']:.1g}. Held, and "
        f"therefore 0: {', '.join(content['held']) or 'none'}.",
        "",
        f"Of {content['units']} hidden units, {100 * content['quiet_share']:.0f} % are quiet "
        f"(activity below {content['quiet']:g}).",
        "",
        _suggest(content),
        "",
        "| units below | removed | loss of AUC | statistical σ |",
        "| ---: | ---: | ---: | ---: |",
        f"| none | 0 % | 0 | {content['sigma']:.3f} |",
    ]
    lines += [
        f"| {item['threshold']:g} | {100 * item['removed']:.0f} % | {item['auc_loss'][0]:+.4f} ± "
        f"{item['auc_loss'][1]:.4f} | {item['sigma']:.3f} |"
        for item in content["tried"]
    ]
    return "\n".join([*lines, ""])


def _suggest(content: Mapping[str, Any]) -> str:
    for item in content["tried"]:
        if item["threshold"] == content["suggested"]:
            return (
                f"Suggested: remove the units below {item['threshold']:g}. The network is then "
                f"{100 * item['removed']:.0f} % smaller, and loses {item['auc_loss'][0]:+.4f} of "
                "AUC."
            )
    return "No unit can be removed: already the quietest ones are needed."
