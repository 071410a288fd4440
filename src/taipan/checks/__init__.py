"""Checks of a configuration against its analysis, its catalogue and the files that it names."""
