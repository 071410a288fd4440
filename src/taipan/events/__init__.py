"""Events after the skim: columns, weights, variations, regions, training sets."""
