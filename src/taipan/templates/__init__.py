"""Histograms of every sample, region and variation."""
