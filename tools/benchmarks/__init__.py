"""What `tools/bench` runs: a file ``bench_<noun>.py`` with a click command ``benchmark`` is ``tools/bench <noun>``."""
