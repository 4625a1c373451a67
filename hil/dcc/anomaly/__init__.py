"""Anomaly thresholds of the DCC itself, beside those agreed with each user (reference dcc-notes 8): totals over all users, and
limits of data values. What is above is quarantined like everything that fails CK-7 [135, fn14].
"""

from hil.dcc.anomaly.thresholds import AnomalyThresholds, AttributeLimit, VolumeThreshold

__all__ = ["AnomalyThresholds", "AttributeLimit", "VolumeThreshold"]
