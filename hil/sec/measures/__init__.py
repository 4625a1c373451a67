"""Performance measures: five percentages a month for the whole system, with causes and steps (sec2-rules section 13 [256-266])."""

from hil.sec.measures.performance import Figure, MeasureError, Performance, Rule, levels

__all__ = ["Figure", "MeasureError", "Performance", "Rule", "levels"]
