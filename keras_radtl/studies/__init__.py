"""Studies: the lists of runs and search spaces that come with the package, found by name."""
