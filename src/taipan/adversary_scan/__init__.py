"""Comparison of strengths of the adversary, and the choice of one."""

from taipan.adversary_scan.choose import choose_strength
from taipan.adversary_scan.point import Files, measure_point

__all__ = ["Files", "choose_strength", "measure_point"]
