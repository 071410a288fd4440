"""Coverage of the intervals, measured with pseudo-experiments made of simulated events."""
