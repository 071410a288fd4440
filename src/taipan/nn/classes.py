"""The classes that networks tell apart: signal and background, or any number with names.

Two classes without names have one score, that of the signal. Classes with names have a score each,
which add up to one; the score of the signal is then the sum of those of the signal classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.samples import Sample

Array = NDArray[Any]


@dataclass(frozen=True)
class Classes:
    """Names of the classes, by label.

    Attributes
    ----------
    names
        Name of each class; its place is the label of its events.
    signal
        Labels of the classes of the signal.
    softmax
        Whether each class has a score of its own; if not there is that of the signal alone.
    members
        Sample → label; empty without names: then `role` decides.
    """

    names: tuple[str, ...] = ("background", "signal")
    signal: tuple[int, ...] = (1,)
    softmax: bool = False
    members: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, section: Mapping[str, Sequence[str]], samples: Mapping[str, Sample]) -> Classes:
        """Give the classes of a configuration: of the section `classes`, or signal and background.

        Parameters
        ----------
        section
            Class → samples; may be empty.
        samples
            Definitions.
        """
        if not section:
            members = tuple((name, int(item.role == "signal")) for name, item in samples.items())
            return cls(members=members)
        signal = tuple(
            label
            for label, listed in enumerate(section.values())
            if any(samples[name].role == "signal" for name in listed)
        )
        members = tuple(
            (name, label) for label, listed in enumerate(section.values()) for name in listed
        )
        return cls(tuple(section), signal, True, members)

    def __len__(self) -> int:
        """Give the number of classes K."""
        return len(self.names)

    @property
    def outputs(self) -> int:
        """Number of logits of a network."""
        return len(self) if self.softmax else 1

    def label_of(self, sample: str) -> int | None:
        """Give the label of a sample's events, None if it is of no class."""
        return dict(self.members).get(sample)

    def path_of(self, label: int) -> str:
        """Name a class in a message, with its key."""
        name = self.names[label]
        return f"class {name} (classes.{name})" if self.softmax else name

    def signal_score(self, scores: Array) -> Array:
        """Give the score of the signal, shape (n,), of scores (n,) or (n, K)."""
        return scores if scores.ndim == 1 else np.asarray(scores[:, list(self.signal)].sum(axis=1))

    def is_signal(self, labels: Array) -> Array:
        """Give 1 for the events of a signal class and 0 for others, shape (n,)."""
        return np.isin(labels, self.signal).astype(np.int64) if self.softmax else labels

    def score_of(self, scores: Array, label: int) -> Array:
        """Give the score of a class, shape (n,); without names that of the signal."""
        return scores if scores.ndim == 1 else np.asarray(scores[:, label])


BINARY = Classes()
"""Signal and background, without names."""
