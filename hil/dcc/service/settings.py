"""Figures of the web service (``settings.toml``), each with its source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Times are bench seconds. ``dataclasses.replace(service_settings(), gap_s=0.0)`` makes a bench's own."""

    schema_version: str
    gbcs_version: str
    uncoded_refusal: str
    wrong_address: str
    gap_s: float
    push_timeout_s: float
    first_retry_s: float
    longest_retry_s: float


@cache
def _content() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files(__package__).joinpath("settings.toml").read_text(encoding="utf-8"))


@cache
def service_settings() -> ServiceSettings:
    """The values of settings.toml."""
    return ServiceSettings(**{field.name: _content()[field.name]["value"] for field in fields(ServiceSettings)})


def service_setting_sources() -> dict[str, str]:
    """Source of each value, for reports."""
    return {name: str(entry["source"]) for name, entry in _content().items()}
