"""Types, units and meanings of NanoAOD's fields, as far as analyses store them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from taipan.suggestions import nearest


class Field(NamedTuple):
    """Type in the skim, unit (empty if it has none) and meaning."""

    dtype: str
    unit: str
    meaning: str


SINGLE = frozenset(
    {
        *("MET", "PuppiMET", "PFMET", "RawMET", "RawPuppiMET", "ChsMET", "CaloMET", "DeepMET"),
        *(
            "PV",
            "HLT",
            "L1",
            "Flag",
            "Generator",
            "Pileup",
            "Rho",
            "GenMET",
            "LHE",
            "GenVtx",
            "BeamSpot",
        ),
    }
)
"""Groups of branches with one value an event; all others are lists of objects."""

EVENT = {
    "run": Field("uint32", "", "run number"),
    "luminosityBlock": Field("uint32", "", "luminosity block"),
    "event": Field("uint64", "", "event number"),
    "event_hash": Field("uint64", "", "hash of the event's identity; decides the fold"),
    "genWeight": Field("float32", "", "generator weight, 1 in data"),
    "PV_npvs": Field("int32", "", "reconstructed primary vertices"),
    "PV_npvsGood": Field("int32", "", "reconstructed primary vertices of good quality"),
    "Pileup_nTrueInt": Field("float32", "", "true mean number of interactions"),
    **{
        name: Field("float32", "GeV", "median density of momentum in the event")
        for name in ("fixedGridRhoFastjetAll", "Rho_fixedGridRhoFastjetAll")
    },
    **{
        f"{group}_{name}": Field("float32", unit, meaning)
        for group in ("MET", "PuppiMET", "PFMET")
        for name, unit, meaning in (
            ("pt", "GeV", "missing transverse momentum"),
            ("phi", "rad", "azimuth of the missing transverse momentum"),
            ("sumEt", "GeV", "scalar sum of transverse energies"),
            ("significance", "", "significance of the missing transverse momentum"),
            *(
                (f"{prefix}{of}", "GeV²", f"covariance {of} of the missing transverse momentum")
                for prefix in ("Cov", "cov")
                for of in ("XX", "XY", "YY")
            ),
        )
    },
}
"""Branches with one value an event."""

DECISIONS = {"HLT": "trigger", "L1": "first-level trigger", "Flag": "event filter"}
"""Groups whose branches are all true or false."""

OBJECT_FIELDS = {
    "pt": Field("float32", "GeV", "transverse momentum"),
    "eta": Field("float32", "", "pseudorapidity"),
    "phi": Field("float32", "rad", "azimuth"),
    "mass": Field("float32", "GeV", "mass"),
    "charge": Field("int32", "e", "charge"),
    "dxy": Field("float32", "cm", "transverse impact parameter"),
    "dz": Field("float32", "cm", "longitudinal impact parameter"),
    "ip3d": Field("float32", "cm", "impact parameter in space"),
    "sip3d": Field("float32", "", "impact parameter in space over its uncertainty"),
    "pfRelIso03_all": Field("float32", "", "relative isolation, ΔR < 0.3"),
    "pfRelIso04_all": Field("float32", "", "relative isolation, ΔR < 0.4"),
    "miniPFRelIso_all": Field("float32", "", "relative mini-isolation"),
    "relIso_all": Field("float32", "", "relative isolation"),
    "decayMode": Field("int32", "", "decay mode"),
    **{
        name: Field("bool", "", f"identification '{name}'")
        for name in (
            *("looseId", "mediumId", "tightId", "softId", "isGlobal", "isTracker", "isPFcand"),
            *("idDecayMode", "idIsoVLoose", "idIsoLoose", "idIsoMedium", "idIsoTight"),
            *(f"idAnti{what}{point}" for what in ("Ele", "Mu") for point in ("Medium", "Tight")),
            *("mvaFall17V2Iso_WP80", "mvaFall17V2Iso_WP90", "mvaIso_WP80", "mvaIso_WP90"),
            *("convVeto", "electronVeto", "pixelSeed", "isScEtaEB", "isScEtaEE"),
            *("mvaID_WP80", "mvaID_WP90", "mvaNoIso_WP80", "mvaNoIso_WP90", "highPurity"),
        )
    },
    "mvaID": Field("float32", "", "identification, output of a classifier"),
    "mvaIso": Field("float32", "", "identification with isolation, output of a classifier"),
    "mvaNoIso": Field("float32", "", "identification without isolation, output of a classifier"),
    "sieie": Field("float32", "", "width of the shower in η"),
    "hoe": Field("float32", "", "energy in the hadronic over that in the electromagnetic part"),
    "cutBased": Field("int32", "", "cut-based identification, an enumeration"),
    "genPartFlav": Field("int32", "", "origin of the matched generated particle"),
    "lostHits": Field("int32", "", "missing inner hits"),
    "tightCharge": Field("int32", "", "agreement of the charges, an enumeration"),
    "puId": Field("int32", "", "pile-up identification, a bit mask"),
    "jetId": Field("int32", "", "jet identification, a bit mask"),
    "hadronFlavour": Field("int32", "", "flavour by its hadrons: 5 b, 4 c, 0 light"),
    "partonFlavour": Field("int32", "", "flavour by its parton"),
    "genJetIdx": Field("int32", "", "position of the matched generated jet, -1 for none"),
    "rawFactor": Field("float32", "", "1 minus the uncorrected over the stored momentum"),
    "area": Field("float32", "", "area of the jet"),
    "nConstituents": Field("int32", "", "number of constituents"),
    "r9": Field("float32", "", "R9 of the photon"),
    "msoftdrop": Field("float32", "GeV", "soft-drop mass"),
    **{f"tau{n}": Field("float32", "", f"{n}-subjettiness") for n in (1, 2, 3, 4)},
    **{
        name: Field("float32", "", "b-tag discriminator")
        for name in (
            *("btag", "btagCSVV2", "btagDeepB", "btagDeepFlavB", "btagPNetB", "btagUParTAK4B"),
            *("particleNet_TvsQCD", "particleNet_HbbvsQCD", "deepTag_TvsQCD"),
        )
    },
}
"""Fields of objects, by what follows the collection's name."""


GENERATED_FIELDS = frozenset({"hadronFlavour", "partonFlavour", "genPartFlav", "genJetIdx"})
"""Fields of objects that come from the generator record."""
GENERATED_GROUPS = frozenset({"Pileup", "Generator", "GenMET", "LHE", "GenVtx"})
"""Groups of branches of the generator record."""


def is_generated(name: str) -> bool:
    """Tell whether a branch comes from the generator record, which data do not have."""
    group, _, field = name.partition("_")
    return group in GENERATED_GROUPS or field in GENERATED_FIELDS


def describe_field(name: str, extra: Mapping[str, Field]) -> Field | None:
    """Give type, unit and meaning of a stored column, None where nothing is known of it.

    Parameters
    ----------
    name
        Of the column, as NanoAOD writes it: ``Muon_pt``.
    extra
        Those that the analysis declares; they come first.
    """
    if name in extra:
        return extra[name]
    if name in EVENT:
        return EVENT[name]
    group, _, field = name.partition("_")
    if field and group in DECISIONS:
        return Field("bool", "", f"{DECISIONS[group]} '{field}'")
    if not field or group in SINGLE or field not in OBJECT_FIELDS:
        return None
    known = OBJECT_FIELDS[field]
    return Field(known.dtype, known.unit, f"{group} {known.meaning}")


def nearest_known(name: str, extra: Mapping[str, Field]) -> str:
    """Ask, as the continuation of a message, whether a column whose type is known was meant.

    Parameters
    ----------
    name
        Of a column that is not known: ``Muon_tightID``.
    extra
        Those that the analysis declares.
    """
    group, _, field = name.partition("_")
    if not field or group in SINGLE:
        return nearest(name, [*extra, *EVENT])
    declared = (known for known in extra if known.startswith(f"{group}_"))
    return nearest(field, [*(known.partition("_")[2] for known in declared), *OBJECT_FIELDS])
