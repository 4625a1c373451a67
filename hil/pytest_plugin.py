"""The bench for pytest: markers and the requirement rows that a test proves, recorded into the JUnit properties."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers for projects that use the plugin without this repository's settings."""
    config.addinivalue_line("markers", "requirement(row): the row of requirements.csv that the test proves")
    config.addinivalue_line("markers", "clause(text): the clause of a specification that the test proves")
    config.addinivalue_line("markers", "needs(part): a part of the bench; the test is skipped with the reason where it is missing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Carry requirement rows and clauses into the JUnit file, one property each."""
    for item in items:
        for name in ("requirement", "clause"):
            for marker in item.iter_markers(name):
                item.user_properties.extend((name, str(row)) for row in marker.args)
