"""Key Establishment 0x0800 (reference cbke 7). Network security only: it makes the link key that the other clusters need."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields

_SUITES = attributes("0x0000 suites enum16")
_INITIATE = ("suite uint16", "ephemeral_generate_time uint8", "confirm_generate_time uint8")
_TERMINATE = ClusterCommand(0x03, "TerminateKeyEstablishment", fields("status uint8", "wait_time uint8", "suite uint16"))

# The certificate and the ephemeral point have the length of the suite; they run to the end of the payload (declare.TRAILING).
KEY_ESTABLISHMENT = Cluster(
    0x0800,
    "KeyEstablishment",
    secured=False,
    attributes=_SUITES,
    client_attributes=_SUITES,
    to_server=commands(
        ClusterCommand(0x00, "InitiateKeyEstablishmentRequest", fields(*_INITIATE), answered_by=(0x00, 0x03), carries="certificate"),
        ClusterCommand(0x01, "EphemeralDataRequest", answered_by=(0x01, 0x03), carries="ephemeral_point"),
        ClusterCommand(0x02, "ConfirmKeyDataRequest", answered_by=(0x02, 0x03), carries="mac"),
        _TERMINATE,
    ),
    to_client=commands(
        ClusterCommand(0x00, "InitiateKeyEstablishmentResponse", fields(*_INITIATE), carries="certificate"),
        ClusterCommand(0x01, "EphemeralDataResponse", carries="ephemeral_point"),
        ClusterCommand(0x02, "ConfirmKeyDataResponse", carries="mac"),
        _TERMINATE,
    ),
)
