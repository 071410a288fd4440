"""One folder with the networks and the likelihood of a run, for those who do not have Taipan."""
