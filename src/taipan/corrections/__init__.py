"""Corrections of the nominal simulation: a file a kind, which the registry finds by itself."""
