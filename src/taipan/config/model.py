"""The configuration: every key, its type, default, unit and meaning.

This module and :mod:`taipan.config.sections`, a file a section, are the only place that knows the
keys. The JSON schema, the default ``config/config.yaml`` and the tables of ``config/README.md``
are generated from them. Checks that need more than one key (does a systematic's sample exist?)
live in :mod:`taipan.checks.configuration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic.json_schema import SkipJsonSchema

from taipan.analysis_folder import DEFAULT_ANALYSIS
from taipan.config.base import Name, Place, Positive, Strict
from taipan.config.sections.adversary import AdversaryScan
from taipan.config.sections.classifier import AnyClassifier, NetworkClassifier
from taipan.config.sections.coverage import Coverage
from taipan.config.sections.decorrelation import DecorrelationCheck
from taipan.config.sections.fastsim import Fastsim
from taipan.config.sections.fit import Fit
from taipan.config.sections.input_selection import InputSelection
from taipan.config.sections.observables import AnyQuantity, Categorical, Observable
from taipan.config.sections.overtraining import Overtraining
from taipan.config.sections.pileup import Pileup
from taipan.config.sections.plotting import Plotting
from taipan.config.sections.regions import Region
from taipan.config.sections.remote import Remote
from taipan.config.sections.robustness import Robustness
from taipan.config.sections.samples import Sample
from taipan.config.sections.skim import Skim
from taipan.config.sections.templates import Templates
from taipan.config.sections.training import Training
from taipan.config.sections.tuning import Tuning
from taipan.config.sections.weight_check import WeightCheck
from taipan.config.sections.weights import Weight
from taipan.corrections.registry import AnyCorrection
from taipan.errors import TaipanError
from taipan.systematics.registry import AnySystematic

EraName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")]


class Run(Strict):
    """Keys of `config/config.yaml` and its overlays."""

    analysis: Place = Field(
        DEFAULT_ANALYSIS,
        min_length=1,
        description="Name of an analysis, which is a folder of `config/analyses`, or the path of a "
        "folder elsewhere, with a `/` in it (`./mine`). Code in it runs.",
    )
    catalogue: str = Field(
        "simulation",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Name of the dataset catalogue: `datasets/<catalogue>.yaml` in the folder of "
        "the analysis.",
    )
    skims: Place | None = Field(
        None, description="Folder of flat, already skimmed ntuples (catalogues of kind `skims`)."
    )
    files: Place | None = Field(
        None, description="Folder of reduced-NanoAOD files (catalogues of kind `nanoaod`)."
    )
    results: Place = Field(
        "results", min_length=1, description="Folder that receives everything a run makes."
    )
    eras: dict[EraName, dict[str, Any]] = Field(
        default_factory=dict,
        description="Data-taking periods that are analysed together: name → the keys that are "
        "others there, such as `catalogue`, `files`, `data`, `weights` or "
        "`systematics.luminosity.size` (docs/eras.md). None: there is one period.",
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        20120704, description="The one seed; every stage derives its own from it by name."
    )
    fastsim: Fastsim = Field(default_factory=Fastsim, description="The embedded simulation.")
    remote: Remote = Field(default_factory=Remote, description="Files that lie elsewhere.")
    skim: Skim = Field(default_factory=Skim, description="Event selection.")
    pileup: Pileup = Field(default_factory=Pileup, description="Pile-up correction.")
    training: Training = Field(default_factory=Training, description="The k-fold network.")
    classifier: AnyClassifier = Field(
        default_factory=NetworkClassifier, description="What gives the score of an event."
    )
    networks: dict[Name, Training] = Field(
        default_factory=dict,
        description="Several networks, each with the keys of `training` that differ: `{plain: {}, "
        "decorrelated: {adversary: {enabled: true}}}`. `fit.network` is the result, the others "
        "stand beside it. Absent: the one of `training`.",
    )
    weight_check: WeightCheck = Field(
        default_factory=WeightCheck, description="Gate on the weights of the training."
    )
    overtraining: Overtraining = Field(
        default_factory=Overtraining, description="Gate on the final networks."
    )
    tuning: Tuning = Field(default_factory=Tuning, description="Hyperparameter search.")
    input_selection: InputSelection = Field(
        default_factory=InputSelection, description="Ranking and elimination of inputs."
    )
    adversary_scan: AdversaryScan = Field(
        default_factory=AdversaryScan, description="Scan of the adversary's strength λ, on demand."
    )
    templates: Templates = Field(
        default_factory=Templates, description="How histograms become templates."
    )
    coverage: Coverage = Field(
        default_factory=Coverage, description="Measurement of the intervals' coverage."
    )
    decorrelation: DecorrelationCheck = Field(
        default_factory=DecorrelationCheck,
        description="Judgement of the score in control regions.",
    )
    plotting: Plotting = Field(default_factory=Plotting, description="Look of the figures.")
    robustness: Robustness = Field(
        default_factory=Robustness, description="Attacks on the networks, on demand."
    )


class Config(Run):
    """The complete configuration: run keys and those of the `analysis.yaml` of a folder.

    Attributes
    ----------
    folder
        Folder of the analysis, of which `analysis` has the name once it is loaded.
    """

    folder: SkipJsonSchema[str] = ""  # no key of a file: it follows from `analysis`
    title: str = Field(description="Title on the report.")
    experiment: str = Field(
        "",
        description="Who took the data, above every figure; a catalogue that "
        "names somebody else in `label` goes first.",
    )
    energy: Positive | None = Field(
        None,
        description="Centre-of-mass energy in TeV, above every figure; a catalogue with an "
        "`energy` of its own goes first.",
    )
    data: list[str] = Field(min_length=1, description="Datasets of collision data.")
    samples: dict[Name, Sample] = Field(min_length=1, description="Samples in stacking order.")
    regions: dict[Name, Region] = Field(min_length=1, description="Regions.")
    classes: dict[Name, list[Name]] = Field(
        default_factory=dict,
        description="Classes that are told apart, each with its samples: `{signal: [ggH, qqH], "
        "ztt: [ZTT], other: [W, TT]}`. Each has a score of its own, `nn_score_CLASS`. Events of "
        "other samples are scored, not trained on. None: signal and background, by the `role` of "
        "the samples.",
    )
    quantities: dict[Name, AnyQuantity] = Field(
        default_factory=dict,
        description="Quantities that are made of those of the selection: expressions, of scores, "
        "too, and masses of pairs of taus.",
    )
    features: list[str] = Field(
        default_factory=list,
        description="Inputs of the network, in order. None: no network is trained, nothing is "
        "tuned or gated, and an observable of the analysis is fitted directly.",
    )
    categorical: dict[Name, Categorical] = Field(
        default_factory=dict, description="Features that are categories; the rest is continuous."
    )
    observables: dict[Name, Observable] = Field(
        min_length=1,
        description="Fitted quantities, filled for every variation (`nn_score`: the network; "
        "`nn_score_CLASS`: its score of a class).",
    )
    control_plots: dict[Name, Observable] = Field(
        default_factory=dict,
        description="Quantities plotted in every region.",
    )
    systematics: dict[Name, AnySystematic] = Field(
        default_factory=dict, description="Systematic uncertainties by name."
    )
    weights: dict[Name, Weight] = Field(
        default_factory=dict, description="Alternative weights of events, for systematics."
    )
    corrections: dict[Name, AnyCorrection] = Field(
        default_factory=dict,
        description="Corrections of the nominal simulation, and their uncertainties around it.",
    )
    fit: Fit = Field(default_factory=Fit, description="The statistical model.")

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Config:
        """Give typed sections from the plain values of some (`taipan.config.slices`).

        Returns
        -------
        Config
            Behaves as one for the keys present; any other key raises AttributeError. Without
            `corrections` there are none.

        Raises
        ------
        TaipanError
            If a key is none of the configuration.
        """
        sections: dict[str, Any] = {"corrections": {}}
        for key, value in values.items():
            if key not in cls.model_fields:
                raise TaipanError(f"{key} is no key ({', '.join(cls.model_fields)})")
            annotation: Any = cls.model_fields[key].annotation
            sections[key] = TypeAdapter(annotation).validate_python(value)
        found = cls.model_construct(**sections)
        for key in set(cls.model_fields) - set(sections):
            found.__dict__.pop(key, None)
        return found
