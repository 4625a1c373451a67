"""Performance measures: five percentages a month for the whole system, with causes and steps (sec2-rules section 13 [256-266])."""

from hil.sec.measures.performance import MeasureError, MeasureFigure, MeasureRule, Performance, levels

__all__ = ["MeasureError", "MeasureFigure", "MeasureRule", "Performance", "levels"]
