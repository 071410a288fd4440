"""Training against adversaries: a score that cannot tell data from simulation."""
