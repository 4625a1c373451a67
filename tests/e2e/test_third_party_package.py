"""A third party with the product's wheel and no checkout: `chub new device`, pip install, a home with that meter, tests of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=None, help="of the project's own")
"""
OWN_TEST = """
def test_the_options_of_both_stand_beside_each_other(request, chub_bench):
    assert request.config.getoption("--seed") == 5
    assert chub_bench.seed == 9
"""


class Machine:
    """A virtual environment with the libraries, and the product as a wheel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
        self.python = folder / "venv" / "bin" / "python"
        libraries = [path for path in sys.path if path.endswith("site-packages")]
        site = folder / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        (site / "libraries.pth").write_text("\n".join(libraries))
        self._run(sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "-o", str(folder / "dist"), str(ROOT))
        self.install(str(next((folder / "dist").glob("commshub-*.whl"))))

    def install(self, what: str) -> None:
        self._run(
            sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(self.python), "--no-deps", "--no-build-isolation", what
        )  # fmt: skip

    def chub(self, *words: str) -> str:
        return self._run(str(self.folder / "venv" / "bin" / "chub"), *words)

    def pytest(self, *words: str) -> str:
        return self._run(str(self.python), "-m", "pytest", "-p", "no:cacheprovider", "-q", *words)

    def _run(self, *words: str) -> str:
        path = f"{self.folder / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
        done = subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S, env={**environment, "PATH": path}
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("third-party"))


def test_their_meter_joins_is_read_over_the_whole_chain_and_is_tested_by_their_own_pytest_under_xdist(machine: Machine) -> None:
    assert str(ROOT) not in machine._run(str(machine.python), "-c", "import hil; print(hil.__file__)")
    machine.chub("new", "device", "acme")
    machine.install("./acme")
    told = machine.chub("console", "--board", "acme/acme.toml", "-c", "hub form; acme add; dcc read acme; acme status")
    assert "4.1.1 acme: success" in told
    assert "answers 4 s late" in told

    (machine.folder / "acme" / "conftest.py").write_text(CONFTEST)
    (machine.folder / "acme" / "test_options.py").write_text(OWN_TEST)
    (machine.folder / "acme" / "hil").mkdir()
    (machine.folder / "acme" / "hil" / "test_bench.py").write_text("def test_a_folder_of_that_name_is_theirs():\n    pass\n")
    ran = machine.pytest("acme", "--rootdir", "acme", "--seed", "5", "--chub-seed", "9", "-n", "2")
    assert "4 passed" in ran


@pytest.mark.parametrize("kind", ["noun", "check", "fault", "instrument"])
def test_a_package_of_each_kind_works_as_it_is_written(machine: Machine, kind: str) -> None:
    machine.chub("new", kind, f"my-{kind}")
    machine.install(f"./my-{kind}")
    assert "1 passed" in machine.pytest(f"my-{kind}", "--rootdir", f"my-{kind}")
