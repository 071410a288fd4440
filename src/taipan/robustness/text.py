"""What attacks did, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def write_robustness(content: Mapping[str, Any]) -> str:
    """Write the page of the stage `measure_robustness`.

    Parameters
    ----------
    content
        What the stage writes as JSON (``docs/robustness.md``).
    """
    result = content["result"]
    wider = 100.0 * (result["sigma_with"] / result["sigma"] - 1.0)
    lines = [
        "# Attacks within the uncertainties",
        "",
        f"As a nuisance parameter, the hidden attack of 1 σ would widen the expected interval by "
        f"{wider:.1f} %; data that are attacked and fitted without it move the estimate by "
        f"{result['shift']:+.2f} σ. It is no part of the fit.",
        "",
        "Objects shifted, features computed anew; share of right events that are fooled:",
        "",
        "| sample | size | fooled | noise of the same size | hidden | part kept | distance |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in content["samples"].items():
        lines += [
            f"| {name} | {item['size']:g} | {item['fooled']:.3f} | {item['control']:.3f} | "
            f"{item['hidden']:.3f} | {item['kept']:.2f} | {item['distance']:.3f} |"
            for item in found.get("physical", {}).get("sizes", ())
        ]
    lines += [
        "",
        "Features moved on their own, which breaks relations between them:",
        "",
        "| sample | attack | size | right flip | wrong flip | noise: right | noise: wrong |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in content["samples"].items():
        lines += [
            f"| {name} | MiniFool | {item['size']:g} | {item['right']:.3f} | {item['wrong']:.3f} | "
            f"{item['control_right']:.3f} | {item['control_wrong']:.3f} |"
            for item in found.get("minifool", {}).get("flips", ())
        ]
        lines += [
            f"| {name} | hidden | {item['size']:g} | {item['fooled']:.3f} | | | |"
            for item in found.get("hidden", {}).get("sizes", ())
        ]
        lines.append(f"| {name} | shuffle | | {found['shuffle']['fooled']:.3f} | | | |")
    shifts = content["templates"]
    lines += [
        "",
        "| bin of the score | attack [events] | systematics [events] | R |",
        "| --- | ---: | ---: | ---: |",
    ]
    edges = content["edges"]
    for i, ratio in enumerate(shifts["ratio"]):
        lines.append(
            f"| {edges[i]:g} to {edges[i + 1]:g} | {shifts['attack'][i]:+.1f} | "
            f"{shifts['systematics'][i]:.1f} | {ratio:.2f} |"
        )
    held = {name: found["held"] for name, found in content["samples"].items() if found["held"]}
    lines += ["", "Features without an uncertainty are not moved on their own:", ""]
    lines += [f"- {name}: {', '.join(features)}" for name, features in held.items()]
    lines += ["", f"Not attacked: {', '.join(content['not_attacked']) or 'none'}.", ""]
    return "\n".join(lines)


def write_detection(content: Mapping[str, Any]) -> str:
    """Write the page of the stage `detect_attacks`.

    Parameters
    ----------
    content
        What the stage writes as JSON (``docs/robustness.md``).
    """
    lines = [
        "# A network that finds attacked events",
        "",
        "It is trained on clean events and on events that an attack of 1 σ fooled. Clean events "
        "that it takes for attacked are lost. Fooled events that it finds do no harm.",
        "",
        "| attack | class | clean events left | fooled events found | fooled | fooled, not found |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    few = []
    for name, found in content.items():
        lines += [
            f"| {name} | {label} | {item['clean_efficiency']:.3f} | {item['rejection']:.3f} | "
            f"{item['fooled']:.3f} | {item['corrected']:.3f} |"
            for label, item in found["classes"].items()
        ]
        if not found["classes"]:
            few.append(f"- {name}: {found['fooled_events']} fooled events, too few to learn from")
    return "\n".join([*lines, "", *few, ""])


def write_attack_fit(
    nominal: Mapping[str, Any], attacked: Mapping[str, Any], parameter: str
) -> str:
    """Write the page of the stage `fit_attack`.

    Parameters
    ----------
    nominal, attacked
        Fits without and with a parameter for the attack (``docs/fit.md``).
    parameter
        Its name.
    """
    lines = [
        "# The result with the attack as a nuisance parameter",
        "",
        "| fit | expected σ | observed |",
        "| --- | ---: | ---: |",
        f"| the result | {nominal['expected']['sigma']:.3f} | {_write_estimate(nominal)} |",
        f"| with the attack | {attacked['expected']['sigma']:.3f} | {_write_estimate(attacked)} |",
        "",
    ]
    if attacked["observed"] is not None:
        for item in attacked["observed"]["parameters"]:
            if item["name"] == parameter:
                lines += [f"The data pull the attack by {item['value']:+.2f} σ.", ""]
    return "\n".join([*lines, "The result itself has no such parameter.", ""])


def _write_estimate(result: Mapping[str, Any]) -> str:
    found = result["observed"]
    return "blinded" if found is None else f"{found['mu_hat']:.3f} ± {found['sigma']:.3f}"
