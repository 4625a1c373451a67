"""Demand management: forecasts, usage against them, thresholds and the 110 % reports (sec2-rules section 14 [267-273, 407-411]).

Thresholds report, they do not block. All arithmetic is exact (fractions); ``thresholds.csv`` is table 5.3 as data.
"""
