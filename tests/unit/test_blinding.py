from __future__ import annotations

from taipan.config.model import Config
from taipan.config.sections.regions import Region
from taipan.events.blinding import overlapping_signal


def test_default_hides_the_signal_region_alone(analysis_config: Config) -> None:
    assert overlapping_signal(analysis_config.regions) == ["signal"]


def test_a_part_of_the_signal_region_is_hidden_too(analysis_config: Config) -> None:
    """A region of role `estimate` inside the signal region once showed its data."""
    cut = analysis_config.regions["signal"].cut
    regions = {**analysis_config.regions, "vbf": Region(cut=f"{cut} and mjj > 300")}
    assert overlapping_signal(regions) == ["signal", "vbf"]
