"""Configuration: the keys (`model`), loading, checks and the documents generated from them.

This file imports nothing: :mod:`taipan.datasets` needs the model and the loader needs the datasets.
"""
