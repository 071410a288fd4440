"""fastsim against CMS: yields per process and region at equal luminosity.

The CMS numbers below are those of the public 10 % skims of the 2012 data and simulation (CERN Open
Data record 12350), selected and normalised by this workflow (`config/examples/cms-2012-skims.yaml`,
`yields.csv`) at 1.1467 fb⁻¹: yield and statistical uncertainty.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import chi2

from taipan.config.model import Config
from taipan.datasets import Catalogue, event_scale
from taipan.events.selection import region_masks, sample_masks
from taipan.fastsim import DATASETS, write_dataset
from taipan.skim.run import Chunk, skim_chunk
from taipan.skim.storage import read_events
from tests.conftest import ROOT, fastsim_settings, skim_settings
from tests.htautau import ANALYSIS

LUMINOSITY = 1.1467
CMS: dict[str, dict[str, tuple[float, float]]] = {
    "signal": {
        "ggH": (14.88, 0.7),
        "qqH": (1.43, 0.06),
        "W": (820.32, 38.76),
        "TT": (161.39, 8.41),
        "ZLL": (340.92, 21.65),
        "ZTT": (4819.72, 81.59),
        "data": (7527.0, 86.76),
    },
    "w_control": {
        "ggH": (0.87, 0.16),
        "qqH": (0.08, 0.01),
        "W": (3102.01, 74.75),
        "TT": (589.11, 16.01),
        "ZLL": (162.49, 14.56),
        "ZTT": (62.06, 9.05),
        "data": (3842.0, 61.98),
    },
    "ss_signal": {
        "ggH": (0.24, 0.09),
        "qqH": (0.04, 0.01),
        "W": (307.26, 23.66),
        "TT": (47.11, 4.54),
        "ZLL": (353.64, 22.08),
        "ZTT": (71.0, 9.83),
        "data": (2438.0, 49.38),
    },
    "ss_w_control": {
        "ggH": (0.0, 0.0),
        "qqH": (0.01, 0.01),
        "W": (1010.89, 42.41),
        "TT": (128.4, 7.35),
        "ZLL": (161.37, 14.47),
        "ZTT": (5.6, 2.8),
        "data": (1656.0, 40.69),
    },
    "antiiso_os": {
        "ggH": (1.8, 0.24),
        "qqH": (0.1, 0.01),
        "W": (73.43, 10.64),
        "TT": (9.5, 1.96),
        "ZLL": (23.49, 5.56),
        "ZTT": (453.61, 24.57),
        "data": (2747.0, 52.41),
    },
    "antiiso_ss": {
        "ggH": (0.04, 0.04),
        "qqH": (0.0, 0.0),
        "W": (19.44, 5.07),
        "TT": (4.41, 1.37),
        "ZLL": (7.69, 3.18),
        "ZTT": (7.69, 3.17),
        "data": (2062.0, 45.41),
    },
}
SIMULATED = ("ggH", "qqH", "ZTT", "ZLL", "W", "TT")


@pytest.fixture(scope="module")
def yields(
    tmp_path_factory: pytest.TempPathFactory, analysis_config: Config
) -> dict[str, dict[str, float]]:
    """Region → process → yield of fastsim, data-driven QCD included."""
    folder = tmp_path_factory.mktemp("yields")
    text = (ROOT / "config/analyses/htautau/datasets/fastsim.yaml").read_text(encoding="utf-8")
    catalogue = Catalogue.model_validate(yaml.safe_load(text))
    names = [name for name in DATASETS if name != "DYToTauTau_NLO"]
    simulated = [name for name in names if not name.startswith("Run")]
    sizes = {**dict.fromkeys(simulated, 12_000), "DYJetsToLL": 60_000}
    settings = fastsim_settings(luminosity=LUMINOSITY, events=sizes)
    found = {region: dict.fromkeys((*SIMULATED, "data"), 0.0) for region in CMS}
    for name in names:
        root = folder / f"{name}.root"
        write_dataset(name, root, settings, seed=11)
        flow = skim_chunk(
            Chunk(root), ANALYSIS, skim_settings(name), Path(f"{root}.pq"), Path(f"{root}.json"), {}
        )
        quantities = ANALYSIS.compute(read_events([f"{root}.pq"], ANALYSIS.columns))
        regions = region_masks(quantities, analysis_config.regions)
        dataset = catalogue.dataset(name)
        for region in CMS:
            if dataset.is_data:
                found[region]["data"] += regions[region].sum()
                continue
            scale = event_scale(dataset, LUMINOSITY, flow.cuts[0].sumw)
            for sample, mask in sample_masks(quantities, analysis_config.samples, name).items():
                found[region][sample] += scale * (mask & regions[region]).sum()
    for content in found.values():
        content["rest"] = content["data"] - sum(content[name] for name in SIMULATED)
    return found


@pytest.mark.parametrize("region", list(CMS))
@pytest.mark.parametrize("process", [*SIMULATED, "data"])
def test_yield_is_within_a_factor_of_that_of_cms(
    yields: dict[str, dict[str, float]], region: str, process: str
) -> None:
    """Within a factor 1.5 of the CMS number ±1σ, or of its 99.7 % interval below 20 events."""
    value, _ = CMS[region][process]
    # weight of a CMS event, from all regions: Σw² / Σw
    weight = sum(stat**2 for _, stat in (CMS[r][process] for r in CMS)) / sum(
        CMS[r][process][0] for r in CMS
    )
    count = value / weight
    low = chi2.ppf(0.00135, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(0.99865, 2 * (count + 1)) / 2
    if count >= 20:
        low, high = count - np.sqrt(count), count + np.sqrt(count)
    assert weight * low / 1.5 <= yields[region][process] <= weight * high * 1.5


@pytest.mark.parametrize("region", ["ss_signal", "ss_w_control", "antiiso_os", "antiiso_ss"])
def test_multijets_are_within_a_factor_of_those_of_cms(
    yields: dict[str, dict[str, float]], region: str
) -> None:
    """Data minus simulation; at high mT these are mostly W bosons without a simulated jet."""
    cms = CMS[region]["data"][0] - sum(CMS[region][name][0] for name in SIMULATED)
    assert 1 / 1.5 <= yields[region]["rest"] / cms <= 1.5


def test_multijet_charge_ratio_is_the_true_one(yields: dict[str, dict[str, float]]) -> None:
    """The OS/SS factor measured in the anti-isolated regions is the one put in."""
    from taipan.fastsim.other_processes import QCD_OS_SS_FACTOR

    measured = yields["antiiso_os"]["rest"] / yields["antiiso_ss"]["rest"]
    errors = [np.sqrt(yields[name]["data"]) for name in ("antiiso_os", "antiiso_ss")]
    rests = [yields[name]["rest"] for name in ("antiiso_os", "antiiso_ss")]
    sigma = measured * np.hypot(errors[0] / rests[0], errors[1] / rests[1])
    assert abs(measured - QCD_OS_SS_FACTOR) < 3 * sigma
