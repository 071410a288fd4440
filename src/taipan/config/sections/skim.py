"""Keys of the event selection: `skim`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import Fraction, Place, Strict


class Skim(Strict):
    """Event selection, made once, loose enough for every kinematic variation."""

    chunk_events: Annotated[int, Field(ge=1)] = Field(
        3_000_000,
        description="Largest number of input events of a skim job. One core reads about 100,000 in "
        "a second (docs/scale.md), so the default is half a minute.",
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
        default_factory=dict,
        description="Relative loosening of each threshold of the analysis. What is not given is "
        "twice the largest size of its systematics. A kinematic systematic larger than a given "
        "envelope is an error; one within it does not re-run the skim.",
    )
