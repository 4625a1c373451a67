"""Settings of the page (``settings.toml``), each with its source."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

from hil.dcc.base.services import UserRole


@dataclass(frozen=True, slots=True)
class PageSettings:
    """``dataclasses.replace(page_settings(), sessions_per_user=1)`` makes a bench's own."""

    live_days: float
    archive_years: float
    sessions_per_user: int
    sessions: int
    idle_s: float
    requests_per_minute: int
    peak_requests: int
    peak_s: float
    review_days: float
    body_octets: int
    connections: int
    header_s: int
    streams_per_session: int


@cache
def _content() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("hil.ssi").joinpath("settings.toml").read_text(encoding="utf-8"))


@cache
def page_settings() -> PageSettings:
    """The values of settings.toml."""
    return PageSettings(**{field.name: _content()[field.name]["value"] for field in fields(PageSettings)})


def page_setting_sources() -> dict[str, str]:
    """Source of each value."""
    return {field.name: _content()[field.name]["source"] for field in fields(PageSettings)}


@cache
def functions() -> Mapping[str, frozenset[UserRole]]:
    """Which roles have which part of the page, in the order of its menu."""
    return {name: frozenset(UserRole(role) for role in roles) for name, roles in _content()["functions"].items()}
