"""What the command ``taipan fit`` computes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taipan.atomic import read_json, write_json, write_text
from taipan.errors import TaipanError
from taipan.export.hs3 import to_hs3
from taipan.export.names import check_submission_name
from taipan.export.net_estimates import find_subtractions
from taipan.export.tables import (
    impacts_table,
    parameters_table,
    to_csv,
    to_latex,
    yields_table,
)
from taipan.inference.blinding import Mode, prepare, refuse_bounds
from taipan.inference.compile import compile_model
from taipan.inference.fit import fit
from taipan.inference.goodness import (
    channel_compatibility,
    compatibility_to_json,
    goodness_of_fit,
    goodness_to_json,
)
from taipan.inference.impacts import (
    ImpactMethod,
    break_down,
    default_groups,
    divide_variance,
    find_impacts,
    impacts_to_json,
    parameter_kinds,
)
from taipan.inference.model import CompiledModel
from taipan.inference.profile import Profile, cut_off, interval, significance, upper_limit
from taipan.inference.read import keep_regions
from taipan.inference.result import describe_correlation, describe_parameters, without_nan
from taipan.inference.scan import scan, scan_to_json
from taipan.inference.size import check_fits
from taipan.inference.table import print_result
from taipan.inference.toy_limit import toy_limit
from taipan.inference.toys import pseudo_experiments
from taipan.inference.yields import postfit_yields, predict, prefit_yields
from taipan.scripting import configure_logging
from taipan.seeds import derive_seed
from taipan.terminal import hide_numerical_warnings, takes_symbols

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitOptions:
    """What ``taipan fit`` is asked for; ``taipan fit --help`` says what each option means."""

    workspace: Path
    out: Path | None = None
    plots: Path | None = None
    hs3: Path | None = None
    hepdata: Path | None = None
    tables: Path | None = None
    impacts: bool = False
    impacts_by: ImpactMethod = "refits"
    limit: bool = False
    gof: bool = False
    compatibility: bool = False
    scan: Sequence[str] = ()
    toys: int = 0
    yields: Path | None = None
    asimov: bool = False
    mode: Mode | None = None
    mu: float = 1.0
    control: Sequence[str] = ()
    regions: Sequence[str] = ()
    measurement: str | None = None
    interpolation: Sequence[str] = ()
    groups: Path | None = None
    level: float = 0.95
    seed: int = 1
    lenient: bool = False


def run_fit(options: FitOptions) -> None:
    """Run ``taipan fit``.

    Raises
    ------
    TaipanError
        If an option is wrong, or a fit fails; nothing is written then.
    """
    configure_logging()
    logging.getLogger("taipan").setLevel(logging.WARNING)
    _check(options)
    workspace = read_json(options.workspace)
    if not isinstance(workspace, dict) or "channels" not in workspace:
        raise TaipanError(f"{options.workspace}: not a pyhf workspace (no 'channels')")
    with hide_numerical_warnings():
        result = analyse(workspace, options)
    made: list[Path] = []
    try:
        for write in (_write_result, _export, _draw):
            made += write(options, workspace, result)
    finally:  # whatever happens to a file, the numbers are shown
        print(print_result(result, symbols=takes_symbols()), end="")
        for path in made:
            print(f"wrote {path}")


def _write_result(
    options: FitOptions, _: Mapping[str, Any], result: Mapping[str, Any]
) -> list[Path]:
    if options.out is None:
        return []
    write_json(options.out, result)
    return [options.out]


def _draw(options: FitOptions, _: Mapping[str, Any], result: Mapping[str, Any]) -> list[Path]:
    if options.plots is None:
        return []
    from taipan.plotting.inference import draw_result  # slow to import

    return draw_result(result, options.plots)


def analyse(workspace: Mapping[str, Any], options: FitOptions) -> dict[str, Any]:
    """Compute what the options ask for.

    Parameters
    ----------
    workspace
        pyhf workspace.
    options
        What is asked for.

    Returns
    -------
    dict
        The layout is described in ``docs/inference.md``; plain numbers only.
    """
    if options.regions:
        workspace = keep_regions(workspace, options.regions)
    codes = dict(item.split("=", 1) for item in options.interpolation)
    model = compile_model(
        workspace,
        measurement=options.measurement,
        interpolation=codes,
        lenient=options.lenient,
    )
    size = len(model.parameters.names)
    check_fits("--toys", options.toys, size + len(model.observed))
    refits = options.impacts and options.impacts_by == "refits"
    check_fits("--impacts", 4 * size if refits else 0, size)
    mode: Mode = options.mode or ("asimov" if options.asimov else "observed")
    blinded = prepare(workspace, model, mode, mu=options.mu, control=tuple(options.control))
    best = fit(model, blinded.data, fixed=blinded.fixed)
    if not options.lenient:
        refuse_bounds(model, best)
    edges = {n: [float(i) for i in range(s.stop - s.start + 1)] for n, s in model.regions.items()}
    result: dict[str, Any] = {
        "poi": model.parameters.names[model.poi],
        "mode": mode,
        "mu_hat": float(best.values[model.poi]),
        "sigma": float(best.sigma[model.poi]),
        "nll": best.nll,
        "notes": list(model.notes),
        "parameters": describe_parameters(model, blinded.data, best),
        "correlation": describe_correlation(model, best),
        "prefit": prefit_yields(model, blinded.data, edges),
        "postfit": postfit_yields(model, blinded.data, edges, best),
    }
    if model.poi not in blinded.fixed:
        profile = Profile(model, blinded.data, best)
        result["interval"] = list(interval(profile))
        result["interval_at_bound"] = list(cut_off(model, result["interval"]))
        result["significance"], result["p_value"] = significance(profile)
        _limits(result, profile, options)
        if options.impacts:
            impacts = find_impacts(model, blinded.data, best, options.impacts_by)
            result["impacts"], result["impacts_by"] = impacts_to_json(impacts), options.impacts_by
            groups = default_groups(model, parameter_kinds(workspace), _named_groups(options))
            result["breakdown"] = break_down(model, blinded.data, best, groups)
            result["breakdown_of_variance"] = divide_variance(model, best, groups)
        if options.compatibility:
            found = channel_compatibility(
                workspace,
                model,
                blinded.data,
                best,
                measurement=options.measurement,
                interpolation=codes,
            )
            result["compatibility"] = compatibility_to_json(found)
        _toys(result, model, options)
    for names in options.scan:
        found_scan = scan(model, blinded.data, best, names.split(","))
        result.setdefault("scans", []).append(scan_to_json(found_scan))
    if options.gof:
        rng = np.random.default_rng(derive_seed(options.seed, "goodness"))
        quality = goodness_of_fit(model, blinded.data, best, toys=options.toys, rng=rng)
        result["goodness"] = goodness_to_json(quality)
    if options.yields is not None:
        other = compile_model(read_json(options.yields), lenient=True)
        result["predicted"] = predict(model, best, other)
    return result


def _export(
    options: FitOptions, workspace: Mapping[str, Any], result: Mapping[str, Any]
) -> list[Path]:
    """Write the workspace or the result in other formats."""
    made: list[Path] = []
    subtractions = find_subtractions(workspace)
    if options.hs3 is not None:
        write_json(options.hs3, to_hs3(workspace, options.measurement))
        made.append(options.hs3)
    if options.hepdata is not None:
        with warnings.catch_warnings():  # hepdata-validator uses a deprecated jsonschema class
            warnings.filterwarnings("ignore", "jsonschema.*Ref", DeprecationWarning)
            from taipan.export.hepdata import write_hepdata  # slow to import

            write_hepdata(result, options.hepdata, subtractions)
        made.append(options.hepdata)
    if options.tables is not None:
        tables = {
            f"yields_{stage}": yields_table(result, stage, subtractions)
            for stage in ("prefit", "postfit")
        }
        tables["parameters"] = parameters_table(result)
        if "impacts" in result:
            tables["impacts"] = impacts_table(result)
        for name, rows in tables.items():
            for suffix, text in ((".csv", to_csv(rows)), (".tex", to_latex(rows))):
                made.append(options.tables / f"{name}{suffix}")
                write_text(made[-1], text)
    return made


def _limits(result: dict[str, Any], profile: Profile, options: FitOptions) -> None:
    if not options.limit:
        return
    asymptotic = upper_limit(profile, options.level)
    result["limit"] = asdict(asymptotic) | {"band": without_nan(asymptotic.band)}
    if options.toys:
        rng = np.random.default_rng(derive_seed(options.seed, "limit"))
        toys = toy_limit(profile, options.level, options.toys, rng)
        result["limit_toys"] = {
            **asdict(toys.limit),
            "band": without_nan(toys.limit.band),
            "toys": toys.toys,
            "tested": toys.tested.tolist(),
            "cls": toys.cls.tolist(),
            "cls_error": toys.cls_error.tolist(),
        }


def _toys(result: dict[str, Any], model: CompiledModel, options: FitOptions) -> None:
    if not options.toys:
        return
    rng = np.random.default_rng(derive_seed(options.seed, "toys"))
    drawn = pseudo_experiments(model, result["mu_hat"], options.toys, rng)
    good = np.isfinite(drawn["mu_hat"])
    if good.mean() < 0.99:
        raise TaipanError(f"{(~good).sum()} of {options.toys} toys could not be fitted")
    pulls = (drawn["mu_hat"] - result["mu_hat"])[good] / drawn["sigma"][good]
    result["toys"] = {
        "n": int(good.sum()),
        "mu": result["mu_hat"],
        "mu_hat": drawn["mu_hat"][good].tolist(),
        "sigma": drawn["sigma"][good].tolist(),
        "pull_mean": float(pulls.mean()),
        "pull_width": float(pulls.std(ddof=1)) if len(pulls) > 1 else None,
    }


def _named_groups(options: FitOptions) -> dict[str, str]:
    if options.groups is None:
        return {}
    named = read_json(options.groups)
    if not isinstance(named, dict) or not all(isinstance(v, str) for v in named.values()):
        raise TaipanError(f"{options.groups}: must map names of parameters to names of groups")
    return named


def _check(options: FitOptions) -> None:
    if options.hepdata is not None:
        check_submission_name(options.hepdata)
    if options.asimov and options.mode not in (None, "asimov"):
        raise TaipanError(f"--asimov contradicts --mode {options.mode}")
    if options.mode == "background":
        for option in ("limit", "impacts", "compatibility"):
            if getattr(options, option):
                raise TaipanError(
                    f"--{option}: needs a fitted signal strength (--mode background holds it at 0)"
                )
        if options.toys and not options.gof:
            raise TaipanError("--toys: with --mode background they need --gof")
    if options.toys < 0:
        raise TaipanError(f"--toys: {options.toys} is not a number of pseudo-experiments (≥ 0)")
    if not 0.0 < options.level < 1.0:
        raise TaipanError(f"--level: {options.level} is not between 0 and 1")
    for item in options.interpolation:
        if "=" not in item:
            raise TaipanError(f"--interpolation: {item!r} is not KIND=CODE")
