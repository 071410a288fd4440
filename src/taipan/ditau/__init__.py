"""Mass of a pair of tau leptons from what is seen of them and the missing momentum."""
