"""The reference set's home with a user of its own in each of the eight roles."""

from __future__ import annotations

from pathlib import Path

from firmware_emu.crypto.pki import DEFAULT_ORGANISATIONS
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.ids import Eui64
from hil.coverage.lived_home import REFERENCE_HOME, HomePlan, LivedHome, make_home
from hil.dcc.base.services import UserRole
from hil.devices.esme.variant import TWIN_ELEMENT

ORGANISATIONS = {
    "gas-supplier": (RemotePartyRole.SUPPLIER, Eui64.parse("90b3d51f30050000")),
    "gas-transporter": (RemotePartyRole.NETWORK_OPERATOR, Eui64.parse("90b3d51f30060000")),
    "export-supplier": (RemotePartyRole.SUPPLIER, Eui64.parse("90b3d51f30070000")),
    "agent": (RemotePartyRole.OTHER, Eui64.parse("90b3d51f30080000")),
}
PARTIES: dict[RemotePartyRole, Eui64] = {role: eui for role, eui in DEFAULT_ORGANISATIONS.values() if role is not RemotePartyRole.OTHER}
PARTIES[RemotePartyRole.SUPPLIER] = DEFAULT_ORGANISATIONS["supplier"][1]
PLAN = HomePlan(
    devices=REFERENCE_HOME,
    parties=PARTIES,
    organisations={**DEFAULT_ORGANISATIONS, **ORGANISATIONS},
    users={
        UserRole.IS: DEFAULT_ORGANISATIONS["supplier"][1],
        UserRole.GS: ORGANISATIONS["gas-supplier"][1],
        UserRole.ES: ORGANISATIONS["export-supplier"][1],
        UserRole.ED: DEFAULT_ORGANISATIONS["network-operator"][1],
        UserRole.GT: ORGANISATIONS["gas-transporter"][1],
        UserRole.OU: DEFAULT_ORGANISATIONS["other-user"][1],
        UserRole.RSA: ORGANISATIONS["agent"][1],
        UserRole.LC: DEFAULT_ORGANISATIONS["load-controller"][1],
    },
    gaining=DEFAULT_ORGANISATIONS["second-supplier"][1],
)
HOME = frozenset(REFERENCE_HOME.values())


def make_world(folder: Path, templates: Path) -> LivedHome:
    """The home with a twin element meter, its keys in ``folder``."""
    return make_home(PLAN, TWIN_ELEMENT, folder, templates)
