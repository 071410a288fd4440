"""The same model fitted by several programs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.exchange.density import Density
from taipan.inference.compile import compile_model
from taipan.inference.errors import FitError
from taipan.inference.fit import fit
from taipan.inference.profile import Profile, significance, upper_limit
from taipan.inference.read import open_workspace

Array = npt.NDArray[np.float64]
Function = Callable[[Mapping[str, float]], float]

LEVEL = 0.95
# Of MINUIT; its default, 0.1, leaves estimates off by up to 0.01 σ.
TOLERANCE = 1e-3


def refit(
    card: Function | None,
    workspace: Density,
    content: Mapping[str, Any],
    measurement: str | None,
    *,
    with_minuit: bool,
) -> tuple[list[dict[str, Any]], float | None]:
    """Fit a workspace with Taipan, with pyhf and MINUIT, and the card it comes from with MINUIT.

    Parameters
    ----------
    card
        −ln L of the card, if there is one; its parameters have the names of `workspace`.
    workspace, content
        −ln L of the workspace, and the workspace.
    measurement
        Name of the measurement; the first one by default.
    with_minuit
        Whether MINUIT is installed.

    Returns
    -------
    tuple
        Of each fit: ``tool``, ``model``, ``mu_hat``, ``sigma``, ``significance`` and ``limit``, or
        ``failed``, the reason; and the largest difference of ``mu_hat`` in σ (``None``: one fit).
    """
    fits = [_with_taipan(content, measurement)]
    if with_minuit:
        fits.append(_with_pyhf(content, measurement, fits[0].get("limit")))
        if card is not None:
            fits.append(_with_minuit(card, workspace))
    good = [item for item in fits if "failed" not in item and item["sigma"] > 0.0]
    if len(good) < 2:
        return fits, None
    estimates = [item["mu_hat"] for item in good]
    return fits, float((max(estimates) - min(estimates)) / good[0]["sigma"])


def _with_taipan(content: Mapping[str, Any], measurement: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"tool": "Taipan", "model": "workspace"}
    try:
        model = compile_model(content, measurement=measurement, lenient=True)
        best = fit(model, model.observed)
        profile = Profile(model, model.observed, best)
        found |= {
            "mu_hat": float(best.values[model.poi]),
            "sigma": float(best.sigma[model.poi]),
            "significance": float(significance(profile)[0]),
        }
        try:
            found["limit"] = float(upper_limit(profile, LEVEL).observed)
        except FitError as error:
            found |= {"limit": None, "limit_failed": str(error)}
    except FitError as error:
        return found | {"failed": str(error)}
    return found


def _with_pyhf(
    content: Mapping[str, Any], measurement: str | None, limit: float | None
) -> dict[str, Any]:
    import pyhf  # with MINUIT, which is not installed everywhere

    found: dict[str, Any] = {"tool": "pyhf with MINUIT", "model": "workspace"}
    tensorlib, optimizer = pyhf.get_backend()
    try:
        pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=TOLERANCE))
        model = (opened := open_workspace(content, measurement)).model
        data, poi = opened.observed, model.config.poi_index
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            best = np.asarray(pyhf.infer.mle.fit(data, model, return_uncertainties=True))
            found |= {"mu_hat": float(best[poi, 0]), "sigma": float(best[poi, 1])}
            bounds = list(model.config.suggested_bounds())
            bounds[poi] = (0.0, bounds[poi][1])
            p_value = pyhf.infer.hypotest(
                0.0, data, model, test_stat="q0", calctype="asymptotics", par_bounds=bounds
            )
            found["significance"] = _sigmas(float(p_value))
            if limit is not None:
                cls = pyhf.infer.hypotest(limit, data, model, test_stat="qtilde", par_bounds=bounds)
                found["cls_at_taipans_limit"] = float(cls)
    except Exception as error:  # a fit of MINUIT that fails raises what pyhf pleases
        return found | {"failed": " ".join(str(error).split())[:200] or type(error).__name__}
    finally:
        pyhf.set_backend(tensorlib, optimizer)
    return found


def _with_minuit(card: Function, workspace: Density) -> dict[str, Any]:
    from iminuit import Minuit  # not installed everywhere

    names = [name for name in workspace.start if name not in workspace.fixed]
    held = {name: workspace.start[name] for name in workspace.fixed}
    poi = workspace.poi

    def function(values: Array) -> float:
        return card({**held, **dict(zip(names, map(float, values), strict=True))})

    def minimise(fixed: bool) -> Any:
        minuit = Minuit(function, [workspace.start[n] for n in names], name=names)
        minuit.errordef, minuit.tol = Minuit.LIKELIHOOD, TOLERANCE
        for name in names:
            minuit.limits[name] = workspace.bounds[name]
        if fixed:
            minuit.values[poi], minuit.fixed[poi] = 0.0, True
        with np.errstate(all="ignore"):
            minuit.migrad()
        return minuit

    found: dict[str, Any] = {"tool": "MINUIT", "model": "what was read, by its own formulae"}
    try:
        best = minimise(False)
        if not best.valid:
            return found | {"failed": "MIGRAD did not converge"}
        best.hesse()
        found |= {"mu_hat": float(best.values[poi]), "sigma": float(best.errors[poi])}
        without = minimise(True)
        rise = max(0.0, 2.0 * (without.fval - best.fval)) if best.values[poi] > 0.0 else 0.0
        found["significance"] = float(np.sqrt(rise))
    except (ValueError, RuntimeError) as error:
        return found | {"failed": str(error)}
    return found


def _sigmas(p_value: float) -> float:
    from scipy.stats import norm

    return max(0.0, float(norm.isf(p_value)))
