"""Training on the expected uncertainty of the fit: bins, Fisher information, events, engine."""
