"""Fits of a pyhf workspace: estimate, interval, significance, limit, pulls and yields."""

from __future__ import annotations

from taipan.inference.compile import compile_model
from taipan.inference.errors import FitError
from taipan.inference.fit import FitResult, fit
from taipan.inference.model import CompiledModel
from taipan.inference.result import run_inference
from taipan.inference.toys import pseudo_experiments

__all__ = [
    "CompiledModel",
    "FitError",
    "FitResult",
    "compile_model",
    "fit",
    "pseudo_experiments",
    "run_inference",
]
