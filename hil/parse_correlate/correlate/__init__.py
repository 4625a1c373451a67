"""Correlate: does a pre-command say what the service request asked? Decided independently of the transform.

Eyes and tables are its own: the point of the step is that one mistake cannot make both sides agree (reference requirements PC-02).
"""

from __future__ import annotations

from .comparison import Correlation, Difference, Known, NotChecked
from .correlation import correlate

__all__ = ["Correlation", "Difference", "Known", "NotChecked", "correlate"]
