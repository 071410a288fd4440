"""Workspaces and results in the formats that others read."""
