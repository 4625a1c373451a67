"""The parts that Devices of every type are made of."""
