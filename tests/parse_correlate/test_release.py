"""A release is signed, the same each time, and an installation proves itself or says which file is another."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hil.parse_correlate import release as release_check
from hil.parse_correlate.command import main
from hil.parse_correlate.release import digests, fingerprint, listed

ROOT = Path(__file__).resolve().parents[2]


def released(key: Path, out: Path, *options: str) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    told = {**os.environ, "CHUB_PREPARED": "1", "SOURCE_DATE_EPOCH": "1767225600"}
    command = [sys.executable, str(ROOT / "tools" / "release-parse-correlate"), "--key", str(key), "--out", str(out), *options]
    subprocess.run(command, env=told, check=True, capture_output=True)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    released(folder / "key.pem", folder / "one", "--new-key")
    released(folder / "key.pem", folder / "two")
    return folder


def verdict(package: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "parse_correlate", "--verify-self"], cwd=package.parent, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_the_same_source_and_key_give_the_same_octets_and_signatures(release: Path) -> None:
    names = sorted(path.name for path in (release / "one").iterdir())
    assert [Path(name).suffix for name in names] == [".whl", ".sig", ".gz", ".sig", ".pem"]
    assert all((release / "one" / name).read_bytes() == (release / "two" / name).read_bytes() for name in names)
    assert stat.S_IMODE((release / "key.pem").stat().st_mode) == 0o600


@pytest.mark.needs("openssl")
def test_openssl_proves_the_detached_signatures_by_the_line_that_is_documented(release: Path, tmp_path: Path) -> None:
    wheel = next((release / "one").glob("*.whl"))

    def proves(file: Path) -> bool:
        line = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(release / "one" / "release-key.pem"), "-rawin", "-in", str(file)]
        return subprocess.run([*line, "-sigfile", f"{wheel}.sig"], capture_output=True, check=False).returncode == 0

    assert proves(wheel)
    changed = tmp_path / "changed.whl"
    changed.write_bytes(wheel.read_bytes() + b"\n")
    assert not proves(changed)


def test_an_installation_proves_itself_and_names_a_file_that_was_changed(release: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(next((release / "one").glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path)
    package = tmp_path / "parse_correlate"
    code, text = verdict(package)
    assert (code, text.startswith("released: ")) == (0, True)
    table = package / "correlate" / "gbz_meanings.toml"
    table.write_text(table.read_text(encoding="utf-8").replace("=0x0c94", "=0x0c95"), encoding="utf-8")
    code, text = verdict(package)
    assert code == 1
    assert "correlate/gbz_meanings.toml" in text
    (package / "RELEASE.json").write_text(
        (package / "RELEASE.json").read_text().replace('"correlate/gbz_meanings.toml": "', '"correlate/gbz_meanings.toml": "0')
    )
    assert verdict(package) == (1, "changed: the signature of RELEASE.json does not hold\n")


@pytest.mark.requirement("PC-05")
def test_the_command_tells_a_released_package_from_a_changed_one_and_from_one_that_another_key_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, package = Ed25519PrivateKey.generate(), tmp_path / "parse_correlate"
    (package / "parse").mkdir(parents=True)
    (package / "parse" / "reading.py").write_text("READS = True\n")
    public, lines = key.public_key().public_bytes_raw(), listed(digests(package))

    def sign(by: Ed25519PrivateKey) -> None:
        record = {
            "files": digests(package),
            "key": base64.b64encode(public).decode(),
            "signature": base64.b64encode(by.sign(lines)).decode(),
        }
        (package / "RELEASE.json").write_text(json.dumps(record))

    monkeypatch.setattr(release_check, "files", lambda name: package)
    sign(key)
    assert main(["--verify-self"]) == 0
    assert capsys.readouterr().out == f"released: 1 files as signed by the key {fingerprint(public)}\n"
    sign(Ed25519PrivateKey.generate())
    assert main(["--verify-self"]) == 1
    assert "does not hold" in capsys.readouterr().out
    sign(key)
    (package / "parse" / "reading.py").write_text("READS = False\n")
    assert main(["--verify-self"]) == 1
    assert "parse/reading.py" in capsys.readouterr().out
    (package / "RELEASE.json").unlink()
    assert main(["--verify-self"]) == 1
    assert "not a release" in capsys.readouterr().out
