"""The configuration: every key, its type, default, unit and meaning.

This module is the only place that knows the keys. The JSON schema, the default
``config/config.yaml`` and the tables of ``config/README.md`` are generated from it. Checks that
need more than one key (does a systematic's sample exist?) live in :mod:`taipan.config.checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from taipan.config.adversary import Adversary, AdversaryScan, Decorrelation
from taipan.config.base import (
    Bounded,
    Fraction,
    Host,
    Name,
    NonNegative,
    Place,
    Positive,
    Strict,
    Url,
)


class Mismodelling(Strict):
    """A known difference between fastsim's pseudo-data and its simulation."""

    family: Literal["none", "jets", "met", "tau"] = Field(
        "none",
        description="Which inputs of the pseudo-data differ from the simulation. `jets` and `met` "
        "are visible in the W control region, `tau` (genuine tau energy) is not.",
    )
    size: Annotated[float, Field(ge=-5.0, le=5.0)] = Field(
        1.0, description="Size in units of the default distortion (truth.json has physical units)."
    )


class Fastsim(Strict):
    """The embedded parametric simulation (used when `catalogue` is of kind `fastsim`)."""

    luminosity: Positive = Field(
        2.0, description="Luminosity of the pseudo-data in fb⁻¹ (CMS 2012 B+C: 11.467)."
    )
    mu: NonNegative = Field(1.0, description="Signal strength injected into the pseudo-data.")
    mismodelling: Mismodelling = Field(
        default_factory=Mismodelling, description="Known data/simulation difference."
    )
    negative_fraction: Annotated[float, Field(ge=0.0, lt=0.5)] = Field(
        0.2, description="Fraction of events with genWeight = -1 in the NLO-like sample."
    )
    events: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict,
        description="Events to simulate per dataset, where it differs from the catalogue's "
        "`generated_events`.",
    )


class Skim(Strict):
    """Event selection, made once, loose enough for every kinematic variation."""

    chunk_minutes: Positive = Field(
        0.5, description="Target time of a skim job in minutes; its events follow from it."
    )
    events_per_second: Positive = Field(
        100_000.0,
        description="Input events that one core is taken to read in a second, to size the jobs. "
        "Measured speeds are in docs/scale.md.",
    )
    chunk_events: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Largest number of input events of a skim job; null: chunk_minutes × "
        "events_per_second.",
    )
    executor: Literal["local", "dask"] = Field(
        "local",
        description="`local`: a job a chunk; `dask`: a job a dataset, which hands its chunks to a "
        "Dask cluster. The results are the same.",
    )
    dask_scheduler: str | None = Field(
        None, description="Address (tcp://HOST:PORT) of the scheduler of the Dask cluster."
    )
    step_events: Annotated[int, Field(ge=1)] = Field(
        200_000, description="Input events held in memory at a time."
    )
    lumi_mask: Place | None = Field(
        None,
        description="JSON file of certified luminosity blocks; data outside it are dropped. Not "
        "for flat ntuples, which have no luminosity blocks.",
    )
    on_bad_file: Literal["fail", "skip"] = Field(
        "fail",
        description="Chunk of a truncated or damaged file: `fail` ends the run; `skip` leaves it "
        "out, normalises to the events that were read and warns in the summary.",
    )
    duplicates: Literal["fail", "first"] = Field(
        "fail",
        description="An event that occurs twice (in a file, in two files, in two datasets of "
        "collision data): `fail` ends the run; `first` keeps the first and counts the others in "
        "the cutflow.",
    )
    envelope: dict[str, Fraction] = Field(
        default_factory=lambda: {"tau_pt": 0.06, "muon_pt": 0.02},
        description="Relative loosening of each threshold. A kinematic systematic larger than "
        "its envelope is an error; one within it does not re-run the skim.",
    )


class Remote(Strict):
    """Files that lie elsewhere: how they are read, and how long that is tried."""

    access: Literal["local", "fetch", "stream"] = Field(
        "local",
        description="`local`: the files are in the folder `files` (or `skims`); `fetch`: they are "
        "downloaded into it first, a job a file; `stream`: the skim reads what it needs from the "
        "mirrors and keeps no copy.",
    )
    mirrors: list[Url] = Field(
        default_factory=list,
        description="Base URLs (http, https, root) that are tried in turn; those of the catalogue "
        "if empty.",
    )
    retries: Annotated[int, Field(ge=0)] = Field(
        5, description="Further rounds over the mirrors after a failure without any progress."
    )
    backoff: NonNegative = Field(
        2.0, description="Pause before the next round in s; doubles each time, at most 300 s."
    )
    timeout: Annotated[float, Field(ge=1.0)] = Field(
        60.0, description="Longest wait for a connection or for the next bytes in s."
    )
    give_up_after: Positive = Field(
        1800.0, description="Time in s after which a transfer fails, whatever its size."
    )
    min_speed: Positive = Field(
        0.1, description="Further time that a transfer may take: its size over this, in MB/s."
    )
    allow_private_redirects: bool = Field(
        False,
        description="Follow a mirror that redirects to a loopback, private or link-local address.",
    )


class Pileup(Strict):
    """Correction of the simulated number of primary vertices to the one seen in data."""

    enabled: bool = Field(True, description="Apply the correction to the nominal weights.")
    max_weight: Positive = Field(3.0, description="Largest weight given to an event.")


class Refinement(Strict):
    """Networks that learn weights from the features (`refine` and `resample`)."""

    parts: Annotated[int, Field(ge=2, le=20)] = Field(
        3,
        description="The training events are divided into so many parts; an event's weight comes "
        "from a network trained on the other parts.",
    )
    hidden_layers: list[Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: [64, 64], min_length=1, description="Units of each hidden layer."
    )
    l2: NonNegative = Field(1e-4, description="L2 penalty on the kernels.")
    batch_size: Annotated[int, Field(ge=1)] = Field(512, description="Events per training step.")
    learning_rate: Positive = Field(1e-3, description="Learning rate of Adam.")
    epochs: Annotated[int, Field(ge=1)] = Field(60, description="Largest number of epochs.")
    patience: Annotated[int, Field(ge=1)] = Field(
        10,
        description="Epochs without a better Brier score of the events held out for it (a quarter "
        "of those trained on) before training stops.",
    )


class Cells(Strict):
    """Cell resampling (`cell`)."""

    components: Annotated[int, Field(ge=1)] = Field(
        6,
        description="Neighbours are near in so many leading principal components of the "
        "standardised features.",
    )
    max_radius: Positive | None = Field(
        None,
        description="Largest radius of a cell, in standard deviations of a feature; weights of a "
        "cell that is still negative there are left as they are. Null: no limit.",
    )


TWO_FOLD_PARTS = 4
"""Parts of the other fold where there are two: each stops one network."""


def most_networks(folds: int) -> int:
    """Give the largest number of networks of a fold: what stops them must differ."""
    return folds - 1 if folds > 2 else TWO_FOLD_PARTS


class Training(Strict):
    """The k-fold network."""

    region: Name = Field("signal", description="Region whose events are trained on.")
    folds: Annotated[int, Field(ge=2, le=20)] = Field(
        5, description="Number of folds k; each network is applied only to the fold it never saw."
    )
    networks: Annotated[int, Field(ge=1, le=19)] = Field(
        4,
        description="Networks of a fold, less than `folds` (with two folds up to 4). Each is "
        "stopped early by other events, and the score is that of their mean logit.",
    )
    hidden_layers: list[Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: [64, 64],
        min_length=1,
        description="Units of each hidden layer.",
    )
    activation: Literal["relu", "gelu", "silu", "elu", "tanh"] = Field(
        "gelu", description="Activation of the hidden layers."
    )
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.2, description="Dropout after each hidden layer."
    )
    l2: NonNegative = Field(5e-4, description="L2 penalty on the kernels.")
    logit_bound: Positive | None = Field(
        6.0,
        description="Bound c of the logit, z → c·tanh(z/c): the loss stays bounded below. Null: no "
        "bound, for comparison; training stops once its loss is negative or |logit| > 50.",
    )
    batch_size: Annotated[int, Field(ge=1)] = Field(1024, description="Events per training step.")
    learning_rate: Positive = Field(3e-3, description="Learning rate of Adam.")
    epochs: Annotated[int, Field(ge=1)] = Field(100, description="Largest number of epochs.")
    patience: Annotated[int, Field(ge=1)] = Field(
        15, description="Epochs without a better validation metric before training stops."
    )
    early_stopping_metric: Literal["brier", "bounded_bce"] = Field(
        "brier",
        description="Metric of the validation fold that picks the best epoch; both are bounded "
        "for signed weights.",
    )
    negative_weights: Literal["signed_bounded", "refine", "resample", "cell", "abs", "drop"] = (
        Field(
            "signed_bounded",
            description="How events of negative weight are trained on: with their sign; with the "
            "learned mean of the sign; by a learned or a nearest-neighbour resampling to positive "
            "weights; with |w|; or not at all. The last two are biased, for comparison only.",
        )
    )
    refinement: Refinement = Field(
        default_factory=Refinement, description="Networks of `refine` and `resample`."
    )
    cells: Cells = Field(default_factory=Cells, description="Cells of `cell`.")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "cosine",
        description="Learning rate by epoch: `constant`; `cosine` falls to zero at the last epoch; "
        "`plateau` halves it after a third of `patience` without a better metric.",
    )
    overtraining_patience: Annotated[int, Field(ge=1)] = Field(
        10, description="Consecutive overtrained epochs after which training stops."
    )
    selection: Literal["best_value", "best_fit"] = Field(
        "best_value",
        description="Epoch that is kept, among those not overtrained: the best metric, or the "
        "best of smooth curves fitted to the histories.",
    )
    checkpoint_every: Annotated[int, Field(ge=0)] = Field(
        10, description="Epochs between checkpoints, from which a killed training goes on; 0: none."
    )
    adversary: Adversary = Field(
        default_factory=Adversary,
        description="An adversary that tries to tell data from simulation by the score.",
    )
    decorrelate: list[Decorrelation] = Field(
        default_factory=list, description="Quantities that the score must not depend on."
    )

    @property
    def network_count(self) -> int:
        """Number of networks of all folds."""
        return self.folds * self.networks


class WeightCheck(Strict):
    """Gate on the weights of the training."""

    max_chi2_per_ndf: Positive = Field(
        1.5,
        description="Largest χ²/ndf between a feature's distribution with transformed and with "
        "original weights, per sample.",
    )
    min_probability: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        1e-3,
        description="χ²/ndf counts only if its probability, times the number of features, is "
        "below this.",
    )
    max_sumw_change: Positive = Field(
        1e-6, description="Largest relative change of a sample's Σw by the transformation."
    )
    on_failure: Literal["stop", "warn"] = Field(
        "warn", description="`stop` ends the workflow on failure; `warn` records it in the report."
    )


class OvertrainingCondition(Strict):
    """A test whether training events score better than unseen ones."""

    metric: Literal["bce", "brier", "auc", "ks_signal", "ks_background", "sigma_mu"] = Field(
        description="Metric that is compared: cross-entropy, Brier score, AUC, "
        "Kolmogorov-Smirnov distance of a class, expected statistical σ(μ) of the binned score."
    )
    max_ratio: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = Field(
        1.01,
        description="Largest ratio of the worse to the better value, unseen over training events "
        "(AUC: training over unseen; Kolmogorov-Smirnov: 1 + distance).",
    )
    min_sigma: NonNegative = Field(
        3.0, description="The ratio counts only if the difference exceeds so many σ."
    )


class Overtraining(Strict):
    """Overtraining: conditions on every epoch, and the gate on the final networks."""

    conditions: list[OvertrainingCondition] = Field(
        default_factory=lambda: [
            OvertrainingCondition(metric="bce", max_ratio=1.02),
            OvertrainingCondition(metric="auc", max_ratio=1.02),
        ],
        description="An epoch, and a final network, is overtrained if one of them fires: its ratio "
        "*and* its significance are exceeded.",
    )
    min_ks_probability: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        1e-3,
        description="Smallest weighted Kolmogorov-Smirnov probability, per class, between the "
        "score of training and held-out events.",
    )
    min_chi2_probability: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        1e-3,
        description="Smallest χ² probability, per class, between the score histograms of training "
        "and held-out events.",
    )
    max_auc_gap: Positive = Field(
        0.03, description="Largest AUC(train) - AUC(held out) that is accepted."
    )
    min_sigma: Positive = Field(
        2.0, description="The gap counts only if it exceeds so many standard deviations."
    )
    on_failure: Literal["stop", "warn"] = Field(
        "warn", description="`stop` ends the workflow on failure; `warn` records it in the report."
    )


class Binning(Strict):
    """Optimised bin edges of the observables in the signal regions."""

    method: Literal["none", "quantile", "merge", "gradient"] = Field(
        "none",
        description="`none`: the edges of `observables`; `quantile`: bins of equal signal; "
        "`merge`: fine bins joined greedily; `gradient`: edges moved along the gradient of the "
        "expected σ(μ).",
    )
    bins: Annotated[int, Field(ge=1, le=100)] = Field(15, description="Largest number of bins.")
    fine_bins: Annotated[int, Field(ge=2, le=2000)] = Field(
        200, description="Bins of equal width between which edges are chosen."
    )
    min_background: Positive = Field(
        10.0, description="Smallest expected background of a bin, in events."
    )
    max_relative_error: Positive = Field(
        0.2, description="Largest relative statistical error of a bin's background."
    )
    max_loss: NonNegative = Field(
        0.002, description="`merge`: bins are joined while σ(μ) grows relatively by less."
    )
    fold: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Fold of simulated and same-sign events that the edges are chosen with; the "
        "templates are filled without it.",
    )


Choices = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
Range = tuple[NonNegative, NonNegative]


class SearchSpace(Strict):
    """What the search varies; a list holds the choices, a pair [lowest, highest] a range."""

    layers: Choices = Field(default_factory=lambda: [1, 2, 3], description="Hidden layers.")
    units: Choices = Field(
        default_factory=lambda: [32, 64, 128], description="Units of each hidden layer."
    )
    activation: list[Literal["relu", "gelu", "silu", "elu", "tanh"]] = Field(
        ["gelu", "silu"], min_length=1, description="Activations."
    )
    dropout: Range = Field((0.1, 0.5), description="Range of the dropout, below 1.")
    l2: Range = Field((1e-4, 3e-3), description="Range of the L2 penalty (logarithmic, above 0).")
    batch_size: Choices = Field(
        default_factory=lambda: [512, 1024, 2048], description="Events per training step."
    )
    learning_rate: Range = Field(
        (1e-3, 1e-2), description="Range of the learning rate (logarithmic, above 0)."
    )
    schedule: list[Literal["constant", "cosine", "plateau"]] = Field(
        ["constant", "cosine"],
        min_length=1,
        description="Schedules of the learning rate.",
    )
    feature_sets: dict[Name, list[str]] = Field(
        default_factory=dict,
        description="Named subsets of `features` to choose from; all features if there is none.",
    )


class Tuning(Strict):
    """Search for the hyperparameters of the network with keras-tuner."""

    enabled: bool = Field(
        True, description="Search; if false the values of `training` are used as they are."
    )
    algorithm: Literal["random", "bayesian", "hyperband"] = Field(
        "random",
        description="Algorithm. Only `random` gives the same trials for any number of workers.",
    )
    trials: Annotated[int, Field(ge=1)] = Field(8, description="Largest number of trials.")
    workers: Annotated[int, Field(ge=1)] = Field(
        2, description="Processes that run trials at the same time; they share the rule's cores."
    )
    objective: Literal["brier", "bce", "auc", "sigma_mu"] = Field(
        "brier",
        description="Metric of the validation events that ranks the trials, at the best epoch "
        "that is not overtrained.",
    )
    first_check: Annotated[int, Field(ge=0)] = Field(
        16,
        description="After so many epochs, and after 2, 4, 8, ... times as many, a trial ends if "
        "it is not as good as the values of `training` were after half as many. 0: never; "
        "Hyperband has rules of its own.",
    )
    confirm_folds: Annotated[int, Field(ge=0)] = Field(
        2,
        description="Number of other validation folds on which the best trial is compared with the "
        "values of `training`. 0: it replaces them without a comparison.",
    )
    min_sigma: NonNegative = Field(
        2.0,
        description="The best trial replaces the values of `training` only if it is better by more "
        "than so many standard deviations in that comparison.",
    )
    address: Host = Field(
        "127.0.0.1",
        min_length=1,
        description="Address at which workers reach the search; `0.0.0.0` if some run on other "
        "machines.",
    )
    space: SearchSpace = Field(default_factory=SearchSpace, description="What is varied.")


class InputSelection(Strict):
    """Backward elimination of inputs, made on demand, and their permutation importance."""

    mode: Literal["shuffle", "retrain", "hybrid"] = Field(
        "hybrid",
        description="How the input to drop is found and the rest judged: `shuffle`: by shuffling "
        "inputs of networks trained once; `retrain`: by training without each; `hybrid`: found by "
        "shuffling, judged by training.",
    )
    repeats: Annotated[int, Field(ge=2)] = Field(
        3, description="Trainings (of different seeds) and shuffles that are averaged."
    )
    patience: Annotated[int, Field(ge=1)] = Field(
        3, description="Significantly worse sets in a row after which the elimination ends."
    )
    max_sigma: NonNegative = Field(
        1.0, description="A set is as good as the best one if it is worse by at most so many σ."
    )


class Templates(Strict):
    """How histograms become templates."""

    min_effective_events: NonNegative = Field(
        10.0,
        description="Neighbouring bins are merged until the summed background has at least this "
        "n_eff = (Σw)²/Σw² and every sample a non-negative yield.",
    )
    negative_bins: Literal["merge", "repair"] = Field(
        "merge",
        description="Bins in which a sample is negative: `merge` them with a neighbour, or "
        "`repair` them: set to zero, the sample's other bins scaled to the same total.",
    )
    prune_rate: NonNegative = Field(
        0.0,
        description="A systematic's change of a sample's yield in a region is left out of the fit "
        "if it is relatively smaller.",
    )
    prune_shape: NonNegative = Field(
        0.0,
        description="A systematic's change of a sample's shape in a region is left out of the fit "
        "if no bin changes relatively by as much.",
    )
    binning: Binning = Field(default_factory=Binning, description="Optimised bin edges.")
    plot: Literal["surviving", "all"] = Field(
        "surviving",
        description="Up/down plots: of systematics that are in the fit, or of all with templates.",
    )


class Coverage(Strict):
    """Pseudo-experiments of `snakemake measure_coverage`."""

    experiments: Annotated[int, Field(ge=10)] = Field(
        1000, description="Number of pseudo-experiments."
    )
    batches: Annotated[int, Field(ge=1)] = Field(
        4, description="Jobs that they are divided into (a divisor of `experiments`)."
    )
    mu_range: tuple[Bounded, Bounded] = Field(
        (0.0, 3.0), description="Range of the injected signal strengths, drawn uniformly."
    )


class DecorrelationCheck(Strict):
    """How well the score agrees between data and simulation in control regions."""

    enabled: bool = Field(
        True,
        description="Part of a complete run; if false, made on demand (`check_decorrelation`).",
    )
    regions: list[Name] = Field(
        default_factory=list,
        description="Regions in which data are compared with simulation; if empty all that share "
        "no event with a signal region. Others are not allowed.",
    )
    efficiencies: list[Fraction] = Field(
        default_factory=lambda: [0.5, 0.3, 0.1],
        min_length=1,
        description="Signal efficiencies of the working points at which the tails are compared.",
    )
    variables: list[Name] = Field(
        default_factory=list,
        description="Quantities whose distance correlation with the score is measured; if empty "
        "the observables besides the score.",
    )
    condition_on: list[Name] = Field(
        default_factory=list,
        description="Quantities that the fresh adversary sees besides the score.",
    )
    folds: Annotated[int, Field(ge=2, le=20)] = Field(
        5, description="Folds of the fresh adversary."
    )
    compare: dict[Name, Place] = Field(
        default_factory=dict,
        description="Networks that are judged besides, on the same events: name → folder `models` "
        "of another run with the same features and folds (`baseline: results/plain/htautau/models`)"
        ".",
    )
    permutations: Annotated[int, Field(ge=1, le=10_000)] = Field(
        100, description="Random orders that a distance correlation is compared with."
    )


class Run(Strict):
    """Keys of `config/config.yaml` and its overlays."""

    analysis: Name = Field(
        "htautau", description="Name of the analysis: `config/analyses/<analysis>.yaml`."
    )
    catalogue: str = Field(
        "fastsim",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Name of the dataset catalogue: `config/datasets/<catalogue>.yaml`.",
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
    seed: Annotated[int, Field(ge=0)] = Field(
        20120704, description="The one seed; every stage derives its own from it by name."
    )
    fastsim: Fastsim = Field(default_factory=Fastsim, description="The embedded simulation.")
    remote: Remote = Field(default_factory=Remote, description="Files that lie elsewhere.")
    skim: Skim = Field(default_factory=Skim, description="Event selection.")
    pileup: Pileup = Field(default_factory=Pileup, description="Pile-up correction.")
    training: Training = Field(default_factory=Training, description="The k-fold network.")
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


class Sample(Strict):
    """A physics process: what is stacked in a plot and fitted."""

    label: str = Field("", description="Name on plots (LaTeX allowed); the sample's if empty.")
    colour: str = Field("#bdbdbd", pattern=r"^#[0-9a-fA-F]{6}$", description="Colour on plots.")
    role: Literal["signal", "background"] = Field("background", description="Class it belongs to.")
    datasets: list[str] = Field(
        default_factory=list, description="Simulated datasets of the catalogue that make it up."
    )
    select: str | None = Field(
        None, description="Cut that picks this sample's events out of its datasets."
    )
    estimate: Literal["simulation", "same_sign"] = Field(
        "simulation",
        description="`simulation`, or `same_sign`: data minus simulation in the region's "
        "`same_sign` partner, times the measured opposite-sign/same-sign factor.",
    )

    regions: list[Name] | None = Field(
        None,
        min_length=1,
        description="Fitted regions whose model the sample belongs to; all if absent. It is left "
        "out of the others, of the training too; estimates subtract it everywhere.",
    )

    @model_validator(mode="after")
    def _datasets_match_estimate(self) -> Sample:
        if self.estimate == "simulation" and not self.datasets:
            raise ValueError("a simulated sample needs at least one entry in `datasets`")
        if self.estimate == "same_sign" and self.datasets:
            raise ValueError("a data-driven sample takes no `datasets`")
        if self.estimate == "same_sign" and self.regions is not None:
            raise ValueError("a data-driven sample takes no `regions`: it is all that is left")
        return self


class Region(Strict):
    """A selection of events."""

    cut: str = Field(description="Boolean expression of event quantities.")
    label: str = Field("", description="Text on plots.")
    role: Literal["signal", "control", "estimate"] = Field(
        "estimate",
        description="`signal` and `control` regions are fitted (they must be disjoint); "
        "`estimate` regions feed data-driven estimates.",
    )
    same_sign: Name | None = Field(
        None, description="Region with the same cuts and equal charges (QCD estimate)."
    )


class TransferFactor(Strict):
    """Measured opposite-sign/same-sign factor of the QCD estimate."""

    numerator: Name = Field(description="Region of opposite sign in which it is measured.")
    denominator: Name = Field(description="Region of same sign in which it is measured.")


class Categorical(Strict):
    """A feature whose values are categories, without order or distance."""

    values: list[Bounded] = Field(min_length=2, description="Its categories.")
    encoding: Literal["one_hot", "embedding"] = Field(
        "one_hot",
        description="`one_hot`: an input for each category; `embedding`: half as many trained "
        "numbers.",
    )


class Observable(Strict):
    """A histogrammed quantity."""

    label: str = Field(description="Axis label.")
    unit: str = Field("", description="Unit on the axis, empty if it has none.")
    binning: list[Bounded] = Field(min_length=2, description="Bin edges, strictly increasing.")


class Measurement(Strict):
    """A weight measured in data: how a ratio depends on a quantity, 1 on average."""

    sample: Name = Field(
        description="What the ratio is of. Simulated: data minus the other simulation over this "
        "sample. Estimated with `same_sign`: data minus simulation in `region` over the same in "
        "`denominator`."
    )
    region: Name = Field(description="Region in which it is measured.")
    denominator: Name | None = Field(
        None, description="Region of same sign (samples estimated with `same_sign` only)."
    )
    quantity: Name = Field(description="Quantity that the ratio depends on.")
    binning: list[Bounded] = Field(
        min_length=3, description="Bin edges, strictly increasing; the edge bins hold for beyond."
    )


class Weight(Strict):
    """An alternative weight of events: from a correctionlib file, or measured in data."""

    file: Place | None = Field(
        None, description="correctionlib JSON file (schema 2, may be compressed with gzip)."
    )
    correction: str | None = Field(
        None, description="Name of the correction in `file`; that of the weight if absent."
    )
    inputs: dict[str, str] = Field(
        default_factory=dict,
        description="Input of the correction → quantity of the analysis, or a text or number in "
        "quotes (`'up'`); inputs that are left out have the quantity's name.",
    )
    measure: Measurement | None = Field(
        None, description="Measure the weight in data instead of reading a file."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Weight:
        if (self.file is None) == (self.measure is None):
            raise ValueError("a weight has either `file` or `measure`")
        if self.measure is not None and (self.correction or self.inputs):
            raise ValueError("`correction` and `inputs` belong to `file`, not to `measure`")
        return self


class Systematic(Strict):
    """One source of systematic uncertainty, correlated over samples and regions by its name."""

    kind: Literal["rate", "weight", "kinematic", "sample", "control_residual"] = Field(
        description="`rate`: a normalisation; `weight`: a change of event weights; `kinematic`: a "
        "shift of objects with migration across cuts; `sample`: an alternative dataset; "
        "`control_residual`: what is left between data and simulation along the observable in a "
        "control region."
    )
    group: Literal["experimental", "theory", "normalisation"] = Field(
        "experimental", description="Group in the uncertainty breakdown."
    )
    samples: list[str] = Field(min_length=1, description="Samples it acts on.")
    regions: list[str] | None = Field(None, description="Regions it acts on; all if absent.")
    size: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Relative size of ±1σ (rate: of the yield; kinematic: of the scale)."
    )
    up: Annotated[float, Field(gt=-1)] | None = Field(
        None, description="Relative change at +1σ of an asymmetric rate."
    )
    down: Annotated[float, Field(gt=-1)] | None = Field(
        None, description="Relative change at -1σ of an asymmetric rate."
    )
    shift: str | None = Field(
        None, description="Kinematic shift of the analysis module (kind `kinematic`)."
    )
    weight: str | None = Field(
        None,
        description="Weight (kind `weight`): `pileup`, the correction on against off, or one of "
        "the section `weights`, applied against not applied.",
    )
    datasets: list[str] | None = Field(
        None, description="Alternative datasets (kind `sample`), in place of the sample's own."
    )
    region: Name | None = Field(
        None,
        description="Control region (kind `control_residual`) in which data are compared with "
        "the samples.",
    )
    symmetrize: bool = Field(
        False,
        description="Kinematic: use the nominal template ± half the difference of the up and down "
        "templates, which halves their statistical noise and removes changes common to both. "
        "One-sided kinds are always mirrored.",
    )
    one_sided: bool = Field(
        False,
        description="Kinematic: make the up templates only and mirror them, for shifts that have "
        "no opposite (resolutions).",
    )
    smooth: Literal["none", "lowess", "353QH"] = Field(
        "none",
        description="Smooth the ratio of varied to nominal templates: local straight lines "
        "(`lowess`) or running medians and means (`353QH`).",
    )
    prune: bool = Field(
        True, description="Leave parts below `templates.prune_rate` and `.prune_shape` out."
    )
    decorrelate: list[Literal["sample", "region", "shape"]] = Field(
        default_factory=list,
        description="What gets parameters of its own: each sample, each region, or shape and rate.",
    )
    source: str = Field("", description="Where the size comes from.")


class FitRegion(Strict):
    """What is fitted in one region."""

    region: Name = Field(description="Name of the region.")
    observable: Name | Literal["yield"] = Field(
        description="Observable, or `yield` for a single bin."
    )


class Fit(Strict):
    """The statistical model and what is computed from it."""

    unblind: bool = Field(False, description="Use the data of the signal regions.")
    poi: list[Name] = Field(
        default_factory=lambda: ["mu"], description="Parameter of interest (exactly one)."
    )
    poi_range: tuple[float, float] = Field(
        (-20.0, 40.0), description="Bounds of the parameter of interest."
    )
    observable: Name = Field("nn_score", description="Observable of the signal regions.")
    reference: Name | None = Field(
        "m_vis", description="Observable of the reference fit, absent for none."
    )
    free_normalisations: dict[Name, Name] = Field(
        default_factory=dict,
        description="Normalisation factors that float without constraint: parameter → sample.",
    )
    mc_statistics: bool = Field(True, description="One parameter per bin for Σw² (staterror).")
    confidence_level: Fraction = Field(0.95, description="Level of the upper limit.")


class Config(Run):
    """The complete configuration: run keys and those of `config/analyses/<analysis>.yaml`."""

    module: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$",
        description="Importable Python module with the object selection and derived quantities.",
    )
    title: str = Field(description="Title on the report.")
    experiment: str = Field(
        "",
        description="Who took the data (`CMS Open Data`), above every figure; a catalogue that "
        "names somebody else in `label` goes first.",
    )
    energy: Positive | None = Field(
        None, description="Centre-of-mass energy in TeV, above every figure."
    )
    data: list[str] = Field(min_length=1, description="Datasets of collision data.")
    samples: dict[Name, Sample] = Field(min_length=1, description="Samples in stacking order.")
    regions: dict[Name, Region] = Field(min_length=1, description="Regions.")
    transfer_factor: TransferFactor | None = Field(
        None, description="Regions of the opposite-sign/same-sign factor."
    )
    features: list[str] = Field(min_length=1, description="Inputs of the network, in order.")
    categorical: dict[Name, Categorical] = Field(
        default_factory=dict, description="Features that are categories; the rest is continuous."
    )
    observables: dict[Name, Observable] = Field(
        min_length=1,
        description="Fitted quantities, filled for every variation (`nn_score`: the network).",
    )
    control_plots: dict[Name, Observable] = Field(
        default_factory=dict, description="Quantities plotted in every region, nominal only."
    )
    systematics: dict[Name, Systematic] = Field(
        default_factory=dict, description="Systematic uncertainties by name."
    )
    weights: dict[Name, Weight] = Field(
        default_factory=dict, description="Alternative weights of events, for systematics."
    )
    fit: Fit = Field(default_factory=Fit, description="The statistical model.")
