"""A bench from a board: home, station, far end, keys, entropy, medium and the folder of a run."""
