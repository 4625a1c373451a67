"""Registration data: who supplies or distributes at which MPxN from when, and the feed that brings it (sec2-rules section 8).

The DCC's own copy is :class:`Registration`; the files of the registration data providers arrive through
:class:`hil.dcc.registration.feed.RegistrationFeed`.
"""

from hil.dcc.registration.register import LEAD_ORDER, Registration

__all__ = ["LEAD_ORDER", "Registration"]
