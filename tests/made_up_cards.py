"""Made-up datacards of CMS Combine with their histograms: together they use every directive."""

from __future__ import annotations

from pathlib import Path

import boost_histogram as bh
import numpy as np
import uproot

HISTOGRAMS: dict[str, tuple[list[float], list[float]]] = {
    "SR/data_obs": ([34.0, 21.0, 9.0], [5.0, 4.0, 3.0]),
    "SR/sig": ([2.0, 4.0, 6.0], [0.2, 0.3, 0.4]),
    "SR/sig_jesUp": ([2.2, 4.4, 5.9], [0.2, 0.3, 0.4]),
    "SR/sig_jesDown": ([1.9, 3.7, 6.0], [0.2, 0.3, 0.4]),
    "SR/bkg": ([30.0, 15.0, 3.0], [2.0, 1.5, 1.0]),
    "SR/bkg_jesUp": ([33.0, 15.5, 3.2], [2.0, 1.5, 1.0]),
    "SR/bkg_jesDown": ([28.0, 14.0, 2.9], [2.0, 1.5, 1.0]),
    "SR/bkg_tiltUp": ([27.0, 16.0, 5.0], [2.0, 1.5, 1.0]),
    "SR/bkg_tiltDown": ([33.0, 14.0, 1.0], [2.0, 1.5, 1.0]),
    "SR/fake": ([4.0, 2.0, 1.0], [2.0, 2.0, 1.0]),
    "CR/data_obs": ([80.0, 61.0], [9.0, 8.0]),
    "CR/sig": ([0.5, 0.4], [0.05, 0.05]),
    "CR/bkg": ([78.0, 60.0], [3.0, 2.5]),
    "CR/bkg_jesUp": ([79.0, 63.0], [3.0, 2.5]),
    "CR/bkg_jesDown": ([77.0, 58.0], [3.0, 2.5]),
    "CR/fake": ([2.0, 1.0], [1.0, 1.0]),
    "m125/SR_sig": ([2.0, 4.0, 6.0], [0.2, 0.3, 0.4]),
}

_ONE = """imax 1
jmax {jmax}
kmax *
{shapes}
bin SR
observation {observed}
bin {bins}
process {processes}
process {numbers}
rate {rates}
---------------
{lines}
"""

SHAPES = "shapes * * shapes.root $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC"


def one_channel(
    lines: str,
    *,
    processes: str = "sig bkg",
    numbers: str = "0 1",
    rates: str = "-1 -1",
    observed: str = "-1",
    shapes: str = SHAPES,
) -> str:
    """The text of a card of the channel SR."""
    count = len(processes.split())
    return _ONE.format(
        jmax=count - 1,
        shapes=shapes,
        observed=observed,
        bins=" ".join(["SR"] * count),
        processes=processes,
        numbers=numbers,
        rates=rates,
        lines=lines,
    )


_TWO = """# two channels
imax 2 number of channels
jmax 2 number of processes minus one
kmax 5
----------
shapes * SR shapes.root SR/$PROCESS SR/$PROCESS_$SYSTEMATIC
shapes * CR shapes.root $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC
----------
bin          SR  CR
observation  64  -1
----------
bin      SR   SR   SR    CR   CR   CR
process  sig  bkg  fake  sig  bkg  fake
process  0    1    2     0    1    2
rate     12   48   7     -1   -1   3
----------
lumi   lnN   1.02 1.02 -   1.02 1.02 -
xs     lnN   -    0.9/1.15 - -  0.9/1.15 -
jes    shape 1.0  1.0  -   -    1.0  -
tilt   shape -    1.0  -   -    -    -
either shape? -   1.05 -   -    1.05 -
norm   rateParam * bkg 1.1 [0.2,4]
extra  rateParam SR fake 1 [0,5]
scale  extArg 0.5 [0.1,2]
half   extArg 1.25
rest   rateParam CR fake (@0*@1*@2*1.5) extra,scale,half
theory group = xs
exp    group = lumi jes
exp    group += tilt
* autoMCStats 0
"""

CARDS = {
    "counting": one_channel(
        "lumi lnN 1.05 1.05\neff lnN 1.1 -",
        shapes="",
        observed="18",
        rates="5 12.5",
    ),
    "fake_shapes": one_channel(
        "asym lnN 0.8/1.1 -\nsize lnN - 1.3", shapes="shapes * SR FAKE", observed="18", rates="5 12"
    ),
    "gamma": one_channel(
        "control gmN 25 - 0.5\nother gmN 0 - -\nlumi lnN 1.05 1.02",
        shapes="",
        observed="18",
        rates="5 12.5",
    ),
    "gamma_shape": one_channel("control gmN 24 - 2\njes shape 1.0 1.0\nSR autoMCStats 0 1"),
    "shapes": one_channel("jes shape 1.0 1.0\ntilt shape - 1.0\nlumi lnN 1.02 1.02"),
    "scaled_shapes": one_channel("jes shape 0.5 2.0\ntilt shape - 0.7\nSR autoMCStats 5 1 1"),
    "per_process": one_channel(
        "lumi lnN 1.02 - -\nSR autoMCStats 60 1 1",
        processes="sig bkg fake",
        numbers="0 1 2",
        rates="-1 -1 -1",
    ),
    "edits": one_channel(
        "a lnN 1.1 1.2\nb lnN 1.05 -\nc lnN - 1.3\njes shape 1.0 1.0\nold lnN 1.01 1.02\n"
        "nuisance edit add bkg SR fresh lnN 1.07\n"
        "nuisance edit add bkg SR b lnN 1.06\n"
        "nuisance edit add sig * b lnN 1.04 addq\n"
        "nuisance edit drop sig SR a\n"
        "nuisance edit rename * * jes energy\n"
        "nuisance edit rename old new\n"
        "nuisance edit split bkg SR c c1 c2 1.2 1.22\n"
        "nuisance edit merge bkg SR a new\n"
        "nuisance edit flip bkg SR fresh\n"
        "nuisance edit changepdf energy shape?\n"
        "nuisance edit freeze c2\n"
        "nuisance edit drop * * nowhere ifexists\n"
    ),
    "mass_and_param": one_channel(
        "norm rateParam SR bkg 1 [0,3]\nnorm param 1 0.1\ntwo lnN[nofloat] 1 1".replace(
            "two lnN[nofloat] 1 1", "held[nofloat] lnN 1.1 -"
        ),
        shapes="shapes sig SR shapes.root m$MASS/$CHANNEL_$PROCESS\n"
        "shapes bkg SR shapes.root SR/bkg\nshapes data_obs * shapes.root SR/data_obs",
    ),
    "two_channels": _TWO,
}
"""Ten cards; each of `_TWO` and the others is read with mass 125."""


def write_histograms(path: Path, histograms: dict[str, tuple[list[float], list[float]]]) -> None:
    """Write a ROOT file of histograms (TH1D with errors)."""
    with uproot.recreate(path) as file:
        for name, (values, errors) in histograms.items():
            histogram = bh.Histogram(
                bh.axis.Regular(len(values), 0.0, float(len(values))), storage=bh.storage.Weight()
            )
            view = histogram.view()
            view["value"], view["variance"] = values, np.square(errors)
            file[name] = histogram


def write_card(folder: Path, text: str) -> Path:
    """Write a card and the histograms beside it."""
    path = folder / "card.txt"
    path.write_text(text)
    write_histograms(folder / "shapes.root", HISTOGRAMS)
    return path
