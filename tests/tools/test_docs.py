"""``tools/docs`` has every guide in its site, and takes nothing from the network."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from firmware_emu.console.commands.guides import guides

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def docs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools")
    loader = SourceFileLoader("docs_program", str(ROOT / "tools" / "docs"))
    module = module_from_spec(spec_from_loader("docs_program", loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


def test_the_site_has_every_guide_that_chub_guide_shows(docs: ModuleType) -> None:
    assert sorted(Path(path).stem for _, path in docs.GUIDES) == list(guides())


def test_every_page_is_laid_out_where_its_links_expect_it(docs: ModuleType, tmp_path: Path) -> None:
    docs.lay_out(tmp_path)
    assert all((tmp_path / path).is_file() for _, path in docs.GUIDES)
    assert len(list((tmp_path / "api").iterdir())) == len(docs.API)


def test_what_the_theme_loads_from_the_network_is_taken_from_the_site(docs: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "api").mkdir()
    page = tmp_path / "api" / "one.html"
    page.write_text(f'<script src="{docs.SHIM}"></script>')
    docs.keep_at_home(tmp_path)
    assert page.read_text() == '<script src="../assets/iframe-worker.js"></script>'
    assert "MIT licence" in (tmp_path / "assets" / "iframe-worker.js").read_text()
