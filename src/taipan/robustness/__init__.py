"""What perturbations within the experimental uncertainties do to the score of a network."""
