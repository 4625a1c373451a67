"""The gas meter: a sleepy Device behind the GPF."""
