"""The dongles, jigs and supplies of this machine."""
