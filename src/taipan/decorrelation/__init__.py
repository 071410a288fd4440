"""How well a network's score agrees between data and simulation, judged by others than itself."""

from taipan.decorrelation.adversary import FreshAdversary, fresh_adversary
from taipan.decorrelation.check import CheckSettings, judge_decorrelation
from taipan.decorrelation.correlation import distance_correlation, measure_dependence
from taipan.decorrelation.events import EventSettings
from taipan.decorrelation.regions import ControlScores, compare_scores, tail_ratio

__all__ = [
    "CheckSettings",
    "ControlScores",
    "EventSettings",
    "FreshAdversary",
    "judge_decorrelation",
    "compare_scores",
    "distance_correlation",
    "fresh_adversary",
    "tail_ratio",
    "measure_dependence",
]
