"""Events of negative weight in training: transformations to positive weights, and their check."""
