"""Everything that docs/result.md and docs/systematics.md say of a finished run, as tables.

    python benchmarks/result.py RESULTS/ANALYSIS [--config FILE ...] [--factor 10] [--replicas 20]

Prints, for the observable of the fit and for the reference: what the fits found, the contribution
of groups and of single systematics to the expected σ(μ), √(σ² − σ²(frozen)), the same at `--factor`
times the luminosity, and the expected σ(μ) with other treatments of the templates and other sets of
systematics. All rows of a luminosity have the same bins. `--replicas` gives the spread of the
projection over other samples of as many events. Nothing is trained or filled.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from taipan.atomic import read_json
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.likelihood import build_workspace
from taipan.likelihood.asimov import expected_sigma
from taipan.likelihood.projection import project, projection_spread
from taipan.templates.store import read_histograms

ROOT = Path(__file__).parents[1]
THEORY = ("ggh_scale", "ggh_pdf_alphas", "qqh_scale", "qqh_pdf_alphas", "branching_ratio")
BACKGROUNDS = (
    *("z_normalisation", "tau_fake_rate", "tt_normalisation", "w_extrapolation", "w_shape_jets"),
    *("w_shape_tau_pt", "qcd_os_ss", "qcd_shape", "z_pt", "top_pt"),
)
PRUNING = (0.0, 0.001, 0.002, 0.005, 0.01)


def parameters(workspace: Mapping[str, Any]) -> set[str]:
    """All parameter sets of a workspace."""
    return {
        modifier["name"]
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }


def contribution(total: float, frozen: float) -> float:
    return float(np.sqrt(max(total**2 - frozen**2, 0.0)))


def groups(names: Iterable[str], config: Config) -> dict[str, set[str]]:
    """Group → parameters; free ones belong to none."""
    statistical = {name for name in names if name.startswith("staterror")}
    free = {*config.fit.pois, *config.fit.free_normalisations}
    theory, backgrounds = set(THEORY) & set(names), set(BACKGROUNDS) & set(names)
    rest = set(names) - statistical - free - theory - backgrounds
    return {
        "statistics of simulation and same-sign data": statistical,
        "experimental": rest,
        "normalisation and shapes of backgrounds": backgrounds,
        "theory": theory,
    }


def print_breakdown(workspace: Mapping[str, Any], config: Config) -> None:
    names = parameters(workspace)
    total = expected_sigma(workspace)
    print(f"  all {total:.3f}")
    constrained = names - {*config.fit.pois, *config.fit.free_normalisations}
    print(f"  nuisance parameters frozen, w_norm free {expected_sigma(workspace, constrained):.3f}")
    for group, members in groups(names, config).items():
        print(f"  {group}: {contribution(total, expected_sigma(workspace, members)):.3f}")


def print_single(workspace: Mapping[str, Any], config: Config) -> None:
    names, total = parameters(workspace), expected_sigma(workspace)
    single = {
        name: contribution(total, expected_sigma(workspace, [name]))
        for name in names - {config.fit.poi}
    }
    for name, value in sorted(single.items(), key=lambda item: -item[1]):
        print(f"    {name} {value:.3f}")


def changed(config: Config, **templates: Any) -> Config:
    """The configuration with other keys of the section `templates`."""
    section = config.templates.model_copy(update=templates)
    return config.model_copy(update={"templates": section})


def with_systematics(config: Config, **update: Any) -> Config:
    """The configuration with other options of every systematic that has templates."""
    found = {
        name: item if item.kind == "rate" else item.model_copy(update=update)
        for name, item in config.systematics.items()
    }
    return config.model_copy(update={"systematics": found})


def only(config: Config, *kinds: str, without: str = "-") -> Config:
    """The configuration with some kinds of systematics."""
    found = {
        name: item
        for name, item in config.systematics.items()
        if item.kind in kinds and not name.startswith(without)
    }
    return config.model_copy(update={"systematics": found})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--config", nargs="*", default=[])
    parser.add_argument("--factor", type=float, default=10.0)
    parser.add_argument("--replicas", type=int, default=0)
    options = parser.parse_args()
    config, folder = read_config(options.config, ROOT), options.results
    transfer = read_json(folder / "corrections/transfer_factor.json")
    templates = read_histograms(str(folder / "templates/templates.zip"))
    kinds = ("rate", "weight", "kinematic", "sample", "control_residual")
    for observable in (config.fit.observable, config.fit.reference):
        print(f"== {observable}")
        fit, total = read_json(folder / f"fit/{observable}.json"), templates[observable]
        for name in ("expected", "observed"):
            item = fit[name]
            low, high = item["interval"]
            print(
                f"  {name}: {item['mu_hat']:.2f} ± {item['sigma']:.2f} [{low:.2f}, {high:.2f}], "
                f"{item['significance']:.2f} σ, limit {item['limit']['observed']:.2f} "
                f"(expected {item['limit']['expected']:.2f})"
            )
        pulls = [p for p in fit["observed"]["parameters"] if p["pull"] is not None]
        largest = sorted(pulls, key=lambda p: -abs(p["pull"]))[:6]
        print("  pulls:", ", ".join(f"{p['name']} {p['pull']:+.2f}" for p in largest))
        for p in fit["observed"]["parameters"]:
            if p["name"] in config.fit.free_normalisations:
                print(f"  {p['name']} {p['value']:.3f} ± {p['sigma']:.3f}")
        workspace, made = build_workspace(total, config, observable, transfer, templates)
        bins = {name: region["starts"] for name, region in made["regions"].items()}
        print_breakdown(workspace, config)
        print_single(workspace, config)

        def sigma(
            changes: Config, observable: str = observable, total: Any = total, bins: Any = bins
        ) -> str:
            model, record = build_workspace(
                total, changes, observable, transfer, templates, bins=bins
            )
            return f"{expected_sigma(model):.3f} ({len(record['treatment']['pruned'])} pruned)"

        for limit in PRUNING:
            pruned = changed(config, prune_rate=limit, prune_shape=limit)
            print(f"  pruned below {limit:g}: {sigma(pruned)}")
        print(f"  not smoothed: {sigma(with_systematics(config, smooth='none'))}")
        projected = project(total, config, observable, transfer, options.factor, templates)
        places = projected["bins"]
        print(f"  × {options.factor:g}: {projected['sigma']:.3f}, edges {projected['edges']}")
        kept = project(total, config, observable, transfer, options.factor, templates, bins)
        print(f"    in the bins of above: {kept['sigma']:.3f}")
        noisy = project(total, config, observable, transfer, options.factor, None, places)
        print(f"    noise of shifts multiplied: {noisy['sigma']:.3f}")
        if options.replicas:
            spread = projection_spread(
                *(total, config, observable, transfer, options.factor, templates, places),
                *(options.replicas, np.random.default_rng(config.seed)),
            )
            print(f"    spread over {options.replicas} samples: {spread:.3f}")
        print_breakdown(projected["workspace"], config)
        for label, other in (
            ("without w_shape_*", only(config, *kinds, without="w_shape")),
            ("without weights", only(config, "rate", "kinematic")),
            ("rates alone", only(config, "rate")),
        ):
            scaled = project(total, other, observable, transfer, options.factor, templates, places)
            statistical = groups(parameters(scaled["workspace"]), config)[
                "statistics of simulation and same-sign data"
            ]
            frozen = expected_sigma(scaled["workspace"], statistical)
            print(f"    {label}: {scaled['sigma']:.3f}; staterror frozen besides: {frozen:.3f}")


if __name__ == "__main__":
    main()
