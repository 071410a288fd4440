"""One verdict for a result: what was checked, the figure, its bound, and where it stands."""
