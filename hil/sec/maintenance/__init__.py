"""Service management: planned maintenance, changes, releases, availability (sec2-rules section 10 [207-216, 246])."""

from hil.sec.maintenance.plan import MaintenanceError, MaintenancePlan
from hil.sec.maintenance.releases import InternalChange, ReleasePolicy, Releases

__all__ = ["InternalChange", "MaintenanceError", "MaintenancePlan", "ReleasePolicy", "Releases"]
