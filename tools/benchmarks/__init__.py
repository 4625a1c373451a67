"""Benchmarks of `tools/bench`: a file ``bench_<noun>.py`` with a click command ``benchmark`` is ``tools/bench <noun>``."""
