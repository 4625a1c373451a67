"""The transform service of a DCC that lies, over HTTP, for a supplier's own adapter (reference duis-gateway 1.1 to 1.4).

A request of command variant 4 to ``/api/v1/serviceT`` is answered I0 with a pre-command, true and false by turns; a SignedPreCommand of the
same RequestID to ``/api/v1/serviceS`` counts as signed, and one that never comes as noticed.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from firmware_emu.errors import CommsHubError
from hil.attacks.lying_dcc import Lie, Reaction, Score, judged
from hil.dcc.duis import ServiceRequest, read_request
from hil.dcc.duis.request import SERVICE_NAMESPACE

Answers = Callable[[ServiceRequest, int], Lie]
_SCHEMA_VERSION = "5.4"


@dataclass(slots=True)
class _Given:
    """One pre-command that was given out, and whether it came back signed."""

    variant: str
    identifier: str
    lie: Lie
    signed: bool = False


@dataclass(slots=True)
class LyingService:
    """``lies`` gives what to answer to a request; the number says how often its variant was asked before."""

    lies: Answers
    given: list[_Given] = field(default_factory=list)
    _turns: Counter[str] = field(default_factory=Counter)

    def app(self) -> Starlette:
        """The two services as a web application."""
        routes = (("/api/v1/serviceT", self.transform), ("/api/v1/serviceS", self.send))
        return Starlette(routes=[Route(path, endpoint, methods=["POST"]) for path, endpoint in routes])

    async def transform(self, asked: Request) -> Response:
        """A pre-command, true or not. A request that cannot be turned into one is answered 400: this service scores, it does not refuse."""
        try:
            request = read_request(await asked.body())
            turn = self._turns[request.service_reference_variant]
            made = self.lies(request, turn)
        except CommsHubError as trouble:
            return PlainTextResponse(f"{trouble}\n", 400)
        self._turns[request.service_reference_variant] += 1
        self.given.append(_Given(request.service_reference_variant, str(request.request_id), made))
        return _response(request, "I0", made.octets)

    async def send(self, asked: Request) -> Response:
        """A signed pre-command comes back."""
        try:
            request = read_request(await asked.body())
        except CommsHubError as trouble:
            return PlainTextResponse(f"{trouble}\n", 400)
        if request.is_signed_pre_command:
            for one in [one for one in self.given if one.identifier == str(request.request_id)][-1:]:
                one.signed = True
        return _response(request, "I99")

    def score(self) -> Score:
        """Fate of everything that was given out."""
        score = Score()
        for one in self.given:
            reaction = Reaction.SIGNED if one.signed else Reaction.NOTICED
            score.add(f"{one.variant} {one.identifier}", one.lie, judged(one.lie, reaction))
        return score


def _response(request: ServiceRequest, code: str, pre_command: bytes | None = None) -> Response:
    """An answer on one line, HTTP 200 whatever its code (reference duis-gateway 0)."""

    def name(local: str) -> str:
        return f"{{{SERVICE_NAMESPACE}}}{local}"

    root = etree.Element(name("Response"), nsmap={"sr": SERVICE_NAMESPACE}, schemaVersion=_SCHEMA_VERSION)
    header = etree.SubElement(root, name("Header"))
    etree.SubElement(header, name("RequestID")).text = str(request.request_id)
    etree.SubElement(header, name("ResponseCode")).text = code
    etree.SubElement(header, name("ResponseDateTime")).text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    message = etree.SubElement(etree.SubElement(root, name("Body")), name("ResponseMessage"))
    etree.SubElement(message, name("ServiceReference")).text = request.service_reference
    etree.SubElement(message, name("ServiceReferenceVariant")).text = request.service_reference_variant
    if pre_command is not None:
        held = etree.SubElement(message, name("PreCommand"))
        etree.SubElement(held, name("GBCSVersion")).text = "4.3"
        etree.SubElement(held, name("GBCSPayload")).text = base64.b64encode(pre_command).decode()
    return Response(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), media_type="application/xml")
