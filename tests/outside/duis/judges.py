"""Judges that nobody of this project wrote: duis-parser, duis-sign-wrap, xmlsec1."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread

import httpx

from hil.dcc.duis.request import CommandVariant
from hil.dcc.service.exchange import SERVED
from tests.patience import PATIENCE_S

PACKAGES = ("@smartdcc/duis-parser@0.6.0", "@smartdcc/duis-sign-wrap@0.1.2", "@smartdcc/dccboxed-keystore@0.4.2")


@dataclass(frozen=True)
class Judge:
    """The npm packages."""

    packages: Path

    def parse(self, files: Sequence[Path]) -> dict[Path, dict[str, object]]:
        """Parse each file with duis-parser: its simplified form, ``error`` where it was refused."""
        return self._of_parser("parse", files)

    def construct(self, files: Sequence[Path]) -> dict[Path, dict[str, object]]:
        """Let duis-parser write a document from each file of JSON: ``document``, ``error`` where it was refused."""
        return self._of_parser("construct", files)

    def _of_parser(self, what: str, files: Sequence[Path]) -> dict[Path, dict[str, object]]:
        script = Path(__file__).with_name("judge.cjs")
        env = {**os.environ, "NPM_PACKAGES": str(self.packages)}
        done = subprocess.run(["node", str(script), what, *map(str, files)], capture_output=True, text=True, env=env, check=True)
        said = (json.loads(line) for line in done.stdout.splitlines())
        return {Path(str(one.pop("file"))): one for one in said}

    def tool(self, what: str, files: Sequence[Path]) -> dict[Path, Said]:
        """Let the Java tool of duis-sign-wrap ``sign`` or ``validate`` each file, in one Java machine."""
        jar = self.packages / "node_modules" / "@smartdcc" / "duis-sign-wrap" / "dist" / "tool.jar"
        source = Path(__file__).with_name("OneMachine.java")
        done = subprocess.run(["java", "-cp", str(jar), str(source), what, *map(str, files)], capture_output=True, text=True, check=True)
        codes = {Path(file): int(code) for code, file in (line.split("\t") for line in done.stdout.splitlines())}
        return {file: Said(codes[file], Path(f"{file}.said").read_bytes(), Path(f"{file}.why").read_text()) for file in files}


@dataclass(frozen=True)
class Said:
    """Answer of the Java tool: its code (0 for success), what it wrote, and its own words about it."""

    code: int
    octets: bytes
    why: str


def holds_for_xmlsec(file: Path, certificate: Path) -> bool:
    """True if xmlsec1 finds the signature of ``file`` valid for ``certificate`` (PEM)."""
    command = ["xmlsec1", "--verify", "--enabled-key-data", "x509,ec", "--pubkey-cert-pem", str(certificate), str(file)]
    return subprocess.run(command, capture_output=True).returncode == 0


@dataclass
class RunningDcc:
    """``chub dcc up`` as a program of its own; ``urls`` is what it printed."""

    program: subprocess.Popen[str]
    urls: dict[str, object]
    store: Path

    def post(self, octets: bytes, variant: CommandVariant, client: httpx.Client) -> httpx.Response:
        place = next(one for one, variants in SERVED.items() if variant in variants)
        base = str(self.urls["DUIS"]).partition("{")[0]
        return client.post(f"{base}{place}", content=octets, headers={"Content-Type": "application/xml"})

    def end(self) -> None:
        self.program.terminate()
        self.program.wait()


class Inbox:
    """A client's receiving service on loopback, which answers what comes with ``status``; what it takes is in ``taken``."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.status = 204
        self._more = Condition()

    @contextmanager
    def listening(self) -> Iterator[str]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                status = inbox.status
                self.send_response(status)
                self.end_headers()
                with inbox._more:
                    inbox.taken += [octets] if status == 204 else []
                    inbox._more.notify_all()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/smartdcc/duis"
        finally:
            server.shutdown()

    def wait_for(self, count: int) -> list[bytes]:
        """The documents, once there are so many."""
        return self.wait_until(lambda taken: len(taken) >= count)

    def wait_until(self, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
        """The documents, once they are enough."""
        with self._more:
            assert self._more.wait_for(lambda: enough(self.taken), PATIENCE_S), f"{len(self.taken)} documents came, and no more"
            return list(self.taken)
