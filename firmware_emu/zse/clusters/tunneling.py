"""Tunneling 0x0704: GBCS messages between the CHF and ESME, HCALCS, PPMID and GSME (reference zigbee-han 3, 7)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields, repeat

_TRANSFER = fields("tunnel uint16")  # the data run to the end of the frame (declare.TRAILING)
_TRANSFER_ERROR = fields("tunnel uint16", "status uint8")
_FLOW = fields("tunnel uint16", "octets_left uint16")

TUNNELING = Cluster(
    0x0704,
    "Tunneling",
    secured=True,
    attributes=attributes("0x0000 close_tunnel_timeout uint16", "0xFFFE attribute_reporting_status enum8"),
    to_server=commands(
        ClusterCommand(
            0x00,
            "RequestTunnel",
            fields("protocol enum8", "manufacturer uint16", "flow_control bool", "max_incoming uint16"),
            answered_by=(0x00,),
        ),
        ClusterCommand(0x01, "CloseTunnel", fields("tunnel uint16")),
        # Delivery is confirmed by a default response; a TransferDataError may stand in its place.
        ClusterCommand(0x02, "TransferDataClient", _TRANSFER, answered_by=(0x02,), carries="data"),
        ClusterCommand(0x03, "TransferDataErrorClient", _TRANSFER_ERROR),
        ClusterCommand(0x04, "AckTransferDataClient", _FLOW),
        ClusterCommand(0x05, "ReadyDataClient", _FLOW),
        ClusterCommand(0x06, "GetSupportedTunnelProtocols", fields("offset uint8"), answered_by=(0x05,)),
    ),
    to_client=commands(
        ClusterCommand(0x00, "RequestTunnelResponse", fields("tunnel uint16", "status uint8", "max_incoming uint16")),
        ClusterCommand(0x01, "TransferDataServer", _TRANSFER, answered_by=(0x03,), carries="data"),
        ClusterCommand(0x02, "TransferDataErrorServer", _TRANSFER_ERROR),
        ClusterCommand(0x03, "AckTransferDataServer", _FLOW),
        ClusterCommand(0x04, "ReadyDataServer", _FLOW),
        ClusterCommand(
            0x05,
            "SupportedTunnelProtocolsResponse",
            fields("complete bool", "count uint8", repeat("protocols", "count", "manufacturer uint16", "protocol enum8")),
        ),
        ClusterCommand(0x06, "TunnelClosureNotification", fields("tunnel uint16")),
    ),
)
