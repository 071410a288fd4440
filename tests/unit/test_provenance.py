"""Hashes that stand in the provenance of a file."""

from __future__ import annotations

from taipan import provenance


def test_hash_of_a_content_has_its_values_and_not_their_order() -> None:
    """Two files with the same keys in another order are the same parameters."""
    one = provenance.hash_content({"a": 1, "b": [1.5, {"d": 2, "c": 3}]})
    assert one == provenance.hash_content({"b": [1.5, {"c": 3, "d": 2}], "a": 1})
    for other in ({"a": 2}, {"b": [1.5, {"d": 2, "c": 4}]}, {"b": [{"d": 2, "c": 3}, 1.5]}):
        assert one != provenance.hash_content({"a": 1, "b": [1.5, {"d": 2, "c": 3}], **other})
