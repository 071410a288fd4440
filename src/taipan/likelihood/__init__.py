"""From templates to a pyhf workspace."""

from __future__ import annotations

from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.workspace import build_fine_workspace, build_workspace

__all__ = ["LikelihoodError", "build_fine_workspace", "build_workspace"]
