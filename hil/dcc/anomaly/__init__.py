"""Anomaly thresholds of each user and of the DCC as a whole (reference dcc-notes 8), and limits of data values.

What is above is quarantined like everything that fails CK-7 [135, fn14].
"""

from hil.dcc.anomaly.thresholds import ANOMALIES, AnomalyThresholds, AttributeLimit, VolumeThreshold

__all__ = ["ANOMALIES", "AnomalyThresholds", "AttributeLimit", "VolumeThreshold"]
