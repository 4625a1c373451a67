"""Costs of a Communications Hub and of the DCC's services, and their payers: exact decimal functions, each with its paragraph.

Money is :class:`decimal.Decimal` in pounds, rounded to the penny only where an amount becomes a charge; a share-out never
gains or loses a penny. Numbers in square brackets are paragraphs of the SEC stage 2 consultation. The consultation's text is
known here by the requirement rows alone: what they leave open is a reading of ours, marked ``(choice)``.
"""

from hil.sec.charging.figures import ChargeFigure, figure, figures
from hil.sec.charging.money import ChargingError, gbp, pence, share_out

__all__ = ["ChargeFigure", "ChargingError", "figure", "figures", "gbp", "pence", "share_out"]
