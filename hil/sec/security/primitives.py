"""The algorithms in cryptographic use, each with its limb of [393] (sec2-rules CR-01, CR-02; SEC-13), and who takes which.

:func:`taken` reads the imports of source files; the self-check of a build compares them with the table.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from firmware_emu.errors import CommsHubError

_PRIMITIVES = ("hashes", "ciphers", "kdf", "asymmetric", "cmac", "hmac")
_BY_NAME = (*(f"cryptography.hazmat.primitives.{one}" for one in _PRIMITIVES), "hashlib", "secrets", "signxml.algorithms")
_BY_ATTRIBUTE = frozenset({"ec", "hashlib", "secrets", "SignatureMethod", "DigestAlgorithm", "hashes", "rsa", "padding"})
_NO_ALGORITHM = frozenset(
    {
        "Cipher",
        "CipherContext",
        "EllipticCurvePrivateKey",
        "EllipticCurvePublicKey",
        "EllipticCurvePublicNumbers",
        "decode_dss_signature",
        "encode_dss_signature",
        "ec",
        "CanonicalizationMethod",
        "SignatureMethod",
        "DigestAlgorithm",
        "generate_private_key",
        "derive_private_key",
        "compare_digest",
    }
)
"""Names from those modules that are no algorithm: containers, keys, encodings, a comparison."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """One row of ``primitives.toml``."""

    name: str
    imports: tuple[str, ...]
    scope: str
    limb: str


@cache
def primitives() -> tuple[Primitive, ...]:
    """All of them. Raises CommsHubError for one of the gateway without a limb: the self-check of CR-01."""
    content = tomllib.loads(resources.files("hil.sec.security").joinpath("primitives.toml").read_text(encoding="utf-8"))
    found = tuple(Primitive(row["name"], tuple(row["imports"]), row["scope"], row["limb"]) for row in content["primitive"])
    for one in found:
        if one.scope == "gateway" and not one.limb.startswith(("Suite B", "NIST CAVP", "CESG")):
            raise CommsHubError(f"{one.name} meets no limb of [393]: Suite B, NIST CAVP or CESG")
    return found


def taken(files: Mapping[str, Path]) -> dict[str, frozenset[str]]:
    """Which names of cryptography each module imports or reads, by module name."""
    found = {module: frozenset(_names(ast.parse(path.read_text(encoding="utf-8")))) for module, path in files.items()}
    return {module: names for module, names in found.items() if names}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ("ssl" for one in node.names if one.name == "ssl")
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith(_BY_NAME):
            prefix = f"{node.module}." if node.module in ("hashlib", "secrets") else ""
            for one in node.names:
                if prefix or (one.name[:1].isupper() and one.name not in _NO_ALGORITHM):
                    yield prefix + one.name
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _BY_ATTRIBUTE:
            yield from {f"{node.value.id}.{node.attr}"} - {f"{node.value.id}.{name}" for name in _NO_ALGORITHM}
