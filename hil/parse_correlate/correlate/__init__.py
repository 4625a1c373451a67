"""Correlate: does a pre-command say what the service request asked? Decided independently of the transform.

Tables and code are its own: the point of the step is that one mistake cannot make both sides agree (reference requirements PC-02).
"""

from __future__ import annotations

from hil.parse_correlate.correlate.comparison import Correlation, Difference, Known
from hil.parse_correlate.correlate.correlation import correlate

__all__ = ["Correlation", "Difference", "Known", "correlate"]
