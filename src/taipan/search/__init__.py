"""Searches with trained networks: hyperparameters, and the inputs that matter."""
