"""The incident log: diagnostics first, who is responsible, the Lead Supplier, major incidents, the service desk.

Rules: sec2-rules section 11 [217-237] and section 12 [253-255].
"""

from hil.sec.incidents.log import Incident, IncidentError, IncidentLog

__all__ = ["Incident", "IncidentError", "IncidentLog"]
