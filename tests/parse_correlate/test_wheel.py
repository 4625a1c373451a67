"""The distribution stands alone: its wheel, installed into an empty environment, reads every pair of the reference set."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hil" / "parse_correlate"
PROGRAM = """
import json, sys
from pathlib import Path
from lxml import etree
from parse_correlate import KeyFolder, correlate, parse, to_mmc

rtds, duis = Path(sys.argv[1]), Path(sys.argv[2])
keys, schema = KeyFolder.load(rtds / "keys"), etree.XMLSchema(etree.parse(str(duis / "xsd" / "MMC.xsd")))
verdicts, documents = {}, {}
messages = {path.name: path for path in sorted(rtds.rglob("*.HEX"))}
for name, path in messages.items():
    if "COMMAND" in name:
        continue
    document = etree.fromstring(to_mmc(parse(bytes.fromhex(path.read_text()), keys)))
    documents[name] = "valid" if schema.validate(document) else str(schema.error_log)
for file in sorted((duis / "templates").glob("*.XML")):
    path = messages.get(file.name.replace("_REQUEST_DUIS.XML", "_PRECOMMAND_GBCS.HEX"))
    if path is not None:
        found = correlate(file.read_bytes(), bytes.fromhex(path.read_text()))
        verdicts[file.name] = [found.verdict, [one.field for one in found.differences]]
foreign = sorted(name for name in sys.modules if name.partition(".")[0] in ("hil", "firmware_emu", "ichis"))
print(json.dumps({"verdicts": verdicts, "documents": documents, "foreign": foreign}))
"""


def built(folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=PACKAGE, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it names, nothing else; its folder of commands."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    folder = tmp_path_factory.mktemp("alone")
    wheel = built(folder)
    environment = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    uv = shutil.which("uv") or next((str(one) for one in (Path(sys.base_prefix) / "bin").glob("uv")), None)
    installer = (
        [uv, "pip", "install", "-q", "--python", python] if uv else [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    )
    done = subprocess.run([*installer, str(wheel)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no installer or package index here: {done.stderr.strip()[-200:]}")
    return environment / "bin"


@pytest.mark.requirement("PC-02")
def test_the_wheel_alone_correlates_every_critical_pair_and_parses_every_answer_to_valid_mmc(alone: Path, rtds: Path, duis: Path) -> None:
    done = subprocess.run([alone / "python", "-c", PROGRAM, str(rtds), str(duis)], cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["foreign"] == []
    assert {name: state for name, state in found["documents"].items() if state != "valid"} == {}
    # The templates carry certificates of 2025, the reference messages those of 2015 (reference gbcs-messages 11).
    certificates = {name: fields for name, (verdict, fields) in found["verdicts"].items() if verdict == "differs"}
    assert all(name.startswith(("CS02b", "CS02g")) for name in certificates)
    assert all(field.startswith("payload[1][3]") for fields in certificates.values() for field in fields)
    assert len(found["verdicts"]) > 50


def test_the_command_alone_answers_with_exit_codes_and_one_line(alone: Path, rtds: Path, duis: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([alone / "parse-correlate", *map(str, arguments)], cwd="/", capture_output=True, text=True)

    request = duis / "templates" / "ECS44_7.3_SUCCESS_REQUEST_DUIS.XML"
    good, other = (next(rtds.rglob(f"ECS44_7.3_{kind}_PRECOMMAND_GBCS.HEX")) for kind in ("SUCCESS", "ERROR"))
    matched = run("correlate", request, good, "--device", "00db1234567890a0=ESME")
    assert (matched.stdout, matched.returncode) == ("match\n", 0)
    differing = run("correlate", request, other, "--json")
    assert (json.loads(differing.stdout)["verdict"], differing.returncode) == ("differs", 1)
    response = next(rtds.rglob("ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX"))
    assert "ReadInstantaneousImportRegistersRsp" in run("parse", response, "--keys", rtds / "keys", "--mmc").stdout
    broken = tmp_path / "broken.hex"
    broken.write_text("df0903zz")
    for arguments in (("parse", broken, "--keys", rtds / "keys"), ("correlate", broken, good), ("parse", response, "--keys", tmp_path)):
        refused = run(*arguments)
        assert (refused.returncode, refused.stderr.count("\n"), "Traceback" in refused.stderr) == (2, 1, False)
    unreleased = run("--verify-self")
    assert (unreleased.returncode, "not a release" in unreleased.stdout) == (1, True)


def test_two_builds_are_the_same_octets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    first, second = (built(tmp_path / name).read_bytes() for name in ("one", "two"))
    assert first == second
    with zipfile.ZipFile(tmp_path / "one" / next(one.name for one in (tmp_path / "one").iterdir())) as wheel:
        assert {name.partition("/")[0].partition("-")[0] for name in wheel.namelist()} == {"parse_correlate", "commshub_parse_correlate"}
