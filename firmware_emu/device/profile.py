"""Values of the receipt of a Command that no source states, as data: order of checks, consequences, authority per code.

``pipeline_profile.toml`` and ``authority.csv`` carry a ``source`` beside each value; nothing here is hard-coded.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import cells_of
from firmware_emu.errors import BoardError
from firmware_emu.gbcs.dlms import AccessResult
from firmware_emu.trace import Record


class CommandCheck(Enum):
    """One check on a received Command."""

    WELL_FORMED = "well-formed"
    ADDRESSED = "addressed"
    SUPPORTED = "supported"
    AUTHORITY = "authority"
    COUNTER = "counter"
    MAC = "mac"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class RefusalRule:
    """Consequence of a failed step: ``event`` code (0: none), whether it also goes out as an alert, and the clause."""

    event: int
    alert: bool
    clause: str
    source: str


GBCS_VERSION = "4.x"
"""Version that Devices keep to unless they are told to keep to another."""


@dataclass(frozen=True, slots=True)
class PipelineProfile:
    """The receipt of a Command; each value stands in ``pipeline_profile.toml`` with its source.

    ``refusals`` says what follows each failed step, ``unusual_event``/``unusual_after``/``unusual_within_s`` when many
    refusals in a row are an event of their own, ``refusal_alerts`` how many alerts of refusals go out in ``refusal_alerts_within_s``,
    ``alert_party`` who gets alerts whose party the event table leaves open.
    ``replayable_codes`` have no protection against replay: no counter is checked for them, and none moves.
    ``wrong_tokens`` that were typed in within ``wrong_tokens_within_s`` suspend typing for ``tokens_suspended_s``.
    ``no_reader_counter``: codes whose encrypted answer to a party that sent its certificate has no counter of its own.
    """

    order: tuple[CommandCheck, ...]
    refusals: Mapping[CommandCheck, RefusalRule]
    unusual_event: int
    unusual_after: int
    unusual_within_s: float
    refusal_alerts: int
    refusal_alerts_within_s: float
    alert_party: Mapping[DeviceType, RemotePartyRole]
    top_up_codes: frozenset[int]
    replayable_codes: frozenset[int]
    wrong_tokens: int
    wrong_tokens_within_s: int
    tokens_suspended_s: int
    done_event: int
    failed_event: int
    date_time_codes: frozenset[int]
    no_reader_counter: frozenset[int]
    image_signature: Mapping[DeviceType, RemotePartyRole]
    """Role whose signature a firmware image carries, where that is not the supplier's."""
    too_long: AccessResult
    """Answer to each item of a Command whose response would be longer than one message can be."""
    unknown_codes: frozenset[int]
    """Message codes that this version of GBCS does not have."""

    @classmethod
    def read(cls, text: str, name: str, version: str = GBCS_VERSION) -> PipelineProfile:
        """Read the TOML text of a profile as it is for a version of GBCS. Raises BoardError naming file and key."""
        try:
            data = tomllib.loads(text)
            order = tuple(CommandCheck(step) for step in data["order"]["steps"])
            profile = cls(
                order=order,
                refusals={
                    CommandCheck(step): RefusalRule(int(row["event"]), bool(row["alert"]), str(row["clause"]), str(row["source"]))
                    for step, row in data["refusal"].items()
                },
                unusual_event=int(data["unusual_numbers"]["event"]),
                unusual_after=int(data["unusual_numbers"]["after"]),
                unusual_within_s=float(data["unusual_numbers"]["within_s"]),
                refusal_alerts=int(data["refusal_alerts"]["most"]),
                refusal_alerts_within_s=float(data["refusal_alerts"]["within_s"]),
                alert_party={DeviceType[key]: RemotePartyRole[role] for key, role in data["alert_party"].items() if key != "source"},
                top_up_codes=frozenset(data["top_up"]["codes"]),
                replayable_codes=frozenset((*data["replay_protection"]["not_for"], *data["replay_protection"]["inferred"])),
                wrong_tokens=int(data["token_entry"]["wrong"]),
                wrong_tokens_within_s=int(data["token_entry"]["within_s"]),
                tokens_suspended_s=int(data["token_entry"]["suspended_s"]),
                done_event=int(data["executed"]["done"]),
                failed_event=int(data["executed"]["failed"]),
                date_time_codes=frozenset(data["header_date_time"]["codes"]),
                no_reader_counter=frozenset(data["reader_counter"]["not_for"]),
                image_signature={
                    DeviceType[key]: RemotePartyRole[role] for key, role in data["image_signature"].items() if key != "source"
                },
                too_long=AccessResult(data["too_long"]["result"]),
                unknown_codes=frozenset(data["version"][version]["without"]),
            )
        except (tomllib.TOMLDecodeError, ValueError) as problem:
            raise BoardError(name, "", str(problem)) from problem
        except KeyError as missing:
            raise BoardError(name, str(missing.args[0]), "is missing or not a known name") from missing
        if set(order) != set(CommandCheck) or order[0] is not CommandCheck.WELL_FORMED or set(profile.refusals) != set(CommandCheck):
            raise BoardError(name, "order.steps", "expected every step once, well-formed first, and a refusal for each")
        return profile


@cache
def standard_profile(version: str = GBCS_VERSION) -> PipelineProfile:
    """The profile that comes with the package, of a Device that keeps to a version of GBCS."""
    text = resources.files("firmware_emu.device").joinpath("pipeline_profile.toml").read_text(encoding="utf-8")
    return PipelineProfile.read(text, "pipeline_profile.toml", version)


def may_come_again(record: Record) -> bool:
    """True for an ``executed`` Command without protection against replay: it is answered each time it comes, and changes nothing."""
    return int(str(record.detail.get("code", "0")), 16) in standard_profile().replayable_codes


@dataclass(frozen=True, slots=True)
class Permission:
    """One right: a party of ``role`` (None: a joined Device) may send this code under ``mac`` and ``signature``.

    ``signed_response``: whether the response is signed (True) or carries a MAC (False). ``for_another``: the right is to speak for a
    party that the Device does not know, which the supplementary fields of the header name; without it there are none.
    """

    role: RemotePartyRole | None
    mac: bool
    signature: bool
    signed_response: bool
    for_another: bool = False


@cache
def permissions(device_type: DeviceType) -> Mapping[int, tuple[Permission, ...]]:
    """Per message code, who may send it to this type of Device (``authority.csv``). A code not in it is not supported."""
    text = resources.files("firmware_emu.device").joinpath("authority.csv").read_text(encoding="utf-8")
    held = {cell.role for cell in cells_of(device_type)}
    found: dict[int, tuple[Permission, ...]] = {}
    for row in csv.DictReader(text.splitlines()):
        role = None if row["role"] == "PARTNER" else RemotePartyRole[row["role"]]
        if row["device"] not in (device_type.name, "*") or (row["device"] == "*" and role not in held):
            continue
        protection = row["protection"]
        for_another = row["supplementary"] == "yes"
        permission = Permission(role, protection != "signed-only", protection != "mac", row["response"] == "signature", for_another)
        for text_code in row["codes"].split():
            code = int(text_code, 16)
            if not any((earlier.role, earlier.for_another) == (role, for_another) for earlier in found.get(code, ())):
                found[code] = (*found.get(code, ()), permission)
    return found
