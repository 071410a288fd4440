"""What a network looks at: importances, attributions, and the units that it needs."""
