"""Makes the virtual environment of this checkout and what the programs in ``tools`` need. Standard library only.

``tools/demo`` and ``tools/test`` call :func:`prepare`; the second time it finds its stamp and returns at once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("CHUB_VENV", ROOT / ".venv"))
NEEDED = (3, 11)
PROGRAMS = {
    "cc": "gcc libc6-dev",
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "javac": "default-jdk-headless",
    "openssl": "openssl",
    "pg_ctlcluster": "postgresql",
    "strace": "strace",
    "tmux": "tmux",
    "tshark": "tshark",
    "udevadm": "udev",
    "umockdev-run": "umockdev",
    "xmlsec1": "xmlsec1",
}
"""Other people's programs that judge this project, and the Debian packages that bring them."""


def say(text: str) -> None:
    """Tell what is being done, on stderr so that ``--json`` output stays clean."""
    print(f"-- {text}", file=sys.stderr, flush=True)


def stop(text: str) -> None:
    """One line that says what is missing and what to do; exit code 2."""
    print(f"tools: {text}", file=sys.stderr)
    raise SystemExit(2)


def _python() -> str:
    """A Python of at least 3.11: this one, or one that PATH has."""
    if sys.version_info >= NEEDED:
        return sys.executable
    for minor in range(14, NEEDED[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    stop(f"this is Python {sys.version.split()[0]}; install Python 3.11 or later (Debian: apt-get install python3.11 python3.11-venv)")
    raise AssertionError


def apt(packages: dict[str, str]) -> None:
    """Install Debian packages ``{program: packages}`` whose program is not on PATH, where root and apt allow; else say what to install."""
    missing = {program: package for program, package in packages.items() if shutil.which(program) is None}
    if not missing:
        return
    names = sorted({name for names in missing.values() for name in names.split()})
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(f"not here: {', '.join(missing)}; what needs them is skipped and says so (Debian: sudo apt-get install {' '.join(names)})")
        return
    say(f"installing {' '.join(names)} with apt-get (for {', '.join(missing)})")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)  # type: ignore[call-overload]
    done = subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names], check=False, **quiet)  # type: ignore[call-overload]
    if done.returncode:
        say(f"apt-get could not install {' '.join(names)}; what needs them is skipped and says so")


def _make_venv(python: str) -> None:
    say(f"making a virtual environment in {VENV}")
    made = subprocess.run([python, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return
    if "ensurepip" in made.stdout + made.stderr and os.geteuid() == 0 and shutil.which("apt-get"):
        say("this Python has no venv module: installing python3-venv with apt-get")
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "python3-venv"], check=False)
        made = subprocess.run([python, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode:
        reason = (made.stderr or made.stdout).strip().splitlines()[-1]
        stop(f"cannot make a virtual environment ({reason}); Debian: apt-get install python3-venv")


def prepare(extra: str) -> Path:
    """The environment with this checkout installed with that extra of its libraries; returns its ``bin`` folder."""
    stamp_file = VENV / f".prepared-{extra}"
    stamp = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    if stamp_file.exists() and stamp_file.read_text() == stamp:
        return VENV / "bin"
    began = time.monotonic()
    if not (VENV / "bin" / "python").exists():
        _make_venv(_python())
    say(f"installing commshub and its libraries [{extra}] (about a minute, once)")
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--editable", f"{ROOT}[{extra}]"]
    if subprocess.run(command, cwd=ROOT, check=False, stdout=sys.stderr).returncode:
        stop("pip could not install the libraries: read its lines above; a network or a package index is needed once")
    stamp_file.write_text(stamp)
    say(f"ready after {time.monotonic() - began:.0f} s")
    return VENV / "bin"
