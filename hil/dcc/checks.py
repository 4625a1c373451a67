"""The checks on arrival, in order, each naming its rule, what it read and the response code where one is published.

Source: sec2-rules section 4 [134-139]; codes from ``response_codes.csv`` (E1 to E5, E11, E12, E17, E19). The consultation
lists the checks without ranking them; the order here is a choice, and stops at the first failure (CK-10).
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.crypto.certificates import check_path
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.ids import Eui64
from hil.dcc.arrival import Arrival, Desk, joined_pair, mpxns_of, roles_of, signing_certificate, text, user_role
from hil.dcc.duis import verify_request
from hil.dcc.inventory import COMMISSIONED, Device
from hil.dcc.inventory_rules import rules
from hil.dcc.outcome import Refusal
from hil.dcc.services import NETWORK_OPERATORS, SUPPLIERS, UserRole

HOP = "gateway"


def structure(desk: Desk, arrival: Arrival) -> Refusal | None:
    """CK-1: structure and content agree with the schedule."""
    rule = "structure and content agree with the schedule and the interface specification [134, 133]"
    service, request = arrival.service, arrival.request
    if not service.device_service:
        wanted = {8}
    elif request.is_signed_pre_command:
        wanted = {5, 6, 7}
    else:
        wanted = {4} if service.critical else {1, 2, 3}
    if request.command_variant not in wanted:
        kind = "non-device" if not service.device_service else "critical" if service.critical else "non-critical"
        return Refusal(
            HOP,
            "CK-1 structure",
            rule,
            f"command variant {request.command_variant} for a {kind} service",
            f"send it with command variant {' or '.join(map(str, sorted(wanted)))}",
            "E12",
        )
    if not service.device_service and request.request_id.target not in desk.dcc:
        return Refusal(
            HOP,
            "CK-1 structure",
            rule,
            f"target {request.request_id.target} for service {service.variant}, which the DCC itself executes",
            f"address it to the DCC, {min(desk.dcc)}",
        )
    if text(request, "ExecutionDateTime") and not service.future_dated:
        return Refusal(
            HOP,
            "CK-1 structure",
            rule,
            f"an execution time for service {service.variant}, which cannot be future dated (N/A [399])",
            "leave ExecutionDateTime out",
        )
    return None


def user(desk: Desk, arrival: Arrival) -> Refusal | None:
    """CK-2: a user in a role that may send the service, not suspended."""
    rule = "the User ID belongs to a user whose role may send this service and whose rights are not suspended [134, 115, 125]"
    row = desk.store.row("SELECT role, suspended FROM users WHERE eui = ?", (str(arrival.sender),))
    if row is None:
        return Refusal(
            HOP, "CK-2 user", rule, f"{arrival.sender} is no user", "finish user entry: register the identifier with a role", "E1"
        )
    if row["suspended"] is not None:
        return Refusal(
            HOP,
            "CK-2 user",
            rule,
            f"the rights of {arrival.sender} are suspended: {row['suspended']}",
            "have the suspension lifted by the SEC Panel (M8)",
            "E3",
        )
    allowed = roles_of(desk, arrival.service)
    if UserRole(row["role"]) not in allowed:
        return Refusal(
            HOP,
            "CK-2 user",
            rule,
            f"role {row['role']} sends {arrival.service.variant} {arrival.service.name}",
            f"send it as {' or '.join(sorted(allowed)) or 'nobody: no role has this service'}",
            "E2",
        )
    return None


def device_status(desk: Desk, arrival: Arrival) -> Refusal | None:
    """CK-3: the inventory lets this user send this service to this Device now."""
    service, device, target = arrival.service, arrival.device, arrival.request.request_id.target
    if not service.device_service:
        return None
    check, rule = "CK-3 device status", "the status of the Device allows this user to send this service [134, 138, 167, 187]"
    if device is None:
        return Refusal(HOP, check, rule, f"{target} is not in the inventory", "pre-notify it (12.2)", "E19")
    if service.device_types and device.type.name not in service.device_types:
        return Refusal(
            HOP,
            check,
            "the service suits the device type (validation of DUIS 5.4)",
            f"{service.variant} to {device.type.name} {target}",
            f"address it to {' or '.join(sorted(service.device_types))}",
            "E11",
        )
    if arrival.local and (refusal := _local(desk, arrival, device)) is not None:
        return refusal
    if not arrival.over_wan:
        return None
    if reasons := _commissioning_refusals(desk, arrival, device):
        known = all("is not in the inventory" not in reason for reason in reasons)
        return Refusal(
            HOP,
            "CK-3 commissioning",
            "a Device is commissioned in the order CHF, meter, others; all reasons are given [171, 187]",
            "; ".join(reasons),
            reasons[0].partition(": ")[2].rpartition(" [")[0] or "see the reasons",
            "E5" if known else "E19",
        )
    services = rules().service_status.get(device.status, ())
    if "*" not in services and service.reference not in services:
        named = [status for status, some in rules().service_status.items() if "*" in some or service.reference in some]
        return Refusal(HOP, check, rule, f"{device.type.name} {target} is {device.status}", f"bring it to {' or '.join(named)}", "E5")
    hub = desk.inventory.hub_of(target)
    chf = None if hub is None else desk.inventory.device(hub)
    if chf is None:
        return Refusal(HOP, check, rule, f"{target} is on no hub", "add it to a hub's device log (8.11)", "E5")
    if chf.status != COMMISSIONED:
        return Refusal(
            HOP,
            check,
            "anything over the SM WAN needs a Commissioned CHF [187]",
            f"its hub {hub} is {chf.status}",
            "connect the hub to the SM WAN",
            "E5",
        )
    return None


def _local(desk: Desk, arrival: Arrival, device: Device) -> Refusal | None:
    role = user_role(desk, arrival.sender)
    who = "suppliers" if role in SUPPLIERS else "others"
    if role is not UserRole.RSA and device.status in rules().local_status[who]:
        return None
    return Refusal(
        HOP,
        "CK-3 device status",
        "local Commands: EIS, EES, GIS while Pending, Installed Not Commissioned or Commissioned; ENO, GNO, OU while "
        "Installed Not Commissioned or Commissioned [406]",
        f"role {role}, {device.type.name} is {device.status}",
        "send it over the SM WAN, or as another role",
        "E17",
    )


def _commissioning_refusals(desk: Desk, arrival: Arrival, device: Device) -> tuple[str, ...]:
    if arrival.service.variant == "8.1.1":
        return desk.inventory.commission_refusals(device.eui)
    pair = joined_pair(desk.inventory, arrival.request)
    if arrival.service.reference != "8.7" or pair is None:
        return ()
    follower, meter = pair
    if follower.status == COMMISSIONED:
        return ()
    return desk.inventory.commission_refusals(follower.eui, (meter.eui,))


def registration(desk: Desk, arrival: Arrival) -> Refusal | None:
    """CK-4: for non-critical device services, the sender is the registered party of the MPxN; not for critical ones [fn13]."""
    service, device = arrival.service, arrival.device
    if not service.device_service or device is None or (service.critical and service.variant != "6.23"):
        return None
    role = user_role(desk, arrival.sender)
    if role not in SUPPLIERS | NETWORK_OPERATORS:
        return None  # other users and nominated agents are not in the registration data
    now = desk.clock.now()
    mpxns = mpxns_of(desk.inventory, device, arrival.request)
    rule = "registration data show the sender is the eligible party for the MPxN [134, 75, fn13]"
    if not mpxns:
        return _without_mpxn(desk, arrival, device, rule)
    if any(desk.registration.party(mpxn, role, now) == arrival.sender for mpxn in mpxns):
        return None
    found = ", ".join(f"{mpxn}: {desk.registration.party(mpxn, role, now) or 'nobody'}" for mpxn in mpxns)
    return Refusal(
        HOP,
        "CK-4 registration",
        rule,
        f"registered as {role} for {found}; sender {arrival.sender}",
        "correct the registration data, or send it as the registered party",
        "E4",
    )


def _without_mpxn(desk: Desk, arrival: Arrival, device: Device, rule: str) -> Refusal | None:
    """No MPxN is known yet: installation. A hub without meters serves any supplier; another Device whoever pre-notified it or
    is held by it (choice)."""
    if device.type in (DeviceType.CHF, DeviceType.GPF) and user_role(desk, arrival.sender) in SUPPLIERS:
        return None
    held = desk.store.row("SELECT 1 FROM held_parties WHERE device = ? AND party = ?", (str(device.eui), str(arrival.sender)))
    if device.notified_by == arrival.sender or held is not None:
        return None
    return Refusal(
        HOP,
        "CK-4 registration",
        rule,
        f"no MPxN is recorded for {device.eui}, and {arrival.sender} neither pre-notified it nor is held by it",
        "give the MPxN with 8.11 or 8.4",
        "E4",
    )


def credentials(desk: Desk, arrival: Arrival) -> Refusal | None:
    """CK-5: the request is signed by the user it names."""
    try:
        verify_request(arrival.request, signing_certificate(desk.keystore, arrival.sender))
    except (ProtectionError, KeystoreError) as error:
        return Refusal(
            HOP,
            "CK-5 credentials",
            "every communication is signed by its sender; the credentials used are right [134, 391]",
            str(error),
            "sign the request with the key of the role it is sent under",
        )
    return None


def certificate(desk: Desk, arrival: Arrival) -> Refusal | None:
    """CK-6: the sender's certificate leads to a trusted authority and is in date."""
    try:
        cert = signing_certificate(desk.keystore, arrival.sender)
        check_path(cert, desk.keystore.authorities(), desk.clock.datetime())
    except (ProtectionError, KeystoreError) as error:
        return Refusal(
            HOP, "CK-6 certificate", "the certificate is valid: chain and dates [134]", str(error), "have a new certificate issued"
        )
    return None


def anomaly(desk: Desk, arrival: Arrival) -> Refusal | None:
    """CK-7: the volume is inside the thresholds agreed with the user; a service's own threshold or one for all (``*``).

    A critical request counts once, when its service request comes.
    """
    if arrival.request.is_signed_pre_command:
        return None
    return over_threshold(desk, arrival.sender, arrival.service.reference)


def over_threshold(desk: Desk, party: Eui64, service: str) -> Refusal | None:
    """Count one more message and compare with the thresholds of ``party`` for ``service`` and for all (fn14 [136])."""
    now = desk.clock.now()
    desk.store.insert("volumes", user=str(party), service=service, time=now)
    for row in desk.store.rows(
        "SELECT * FROM volume_thresholds WHERE user = ? AND service IN (?, '*') ORDER BY service DESC", (str(party), service)
    ):
        which, values = ("", ()) if row["service"] == "*" else (" AND service = ?", (service,))
        begins = now - row["window_s"]
        counted = desk.store.row(f"SELECT count(*) AS n FROM volumes WHERE user = ? AND time > ?{which}", (str(party), begins, *values))
        if counted is not None and counted["n"] > row["threshold"]:
            return Refusal(
                HOP,
                "CK-7 anomaly",
                "volumes are inside the thresholds agreed with the user; above is anomalous and quarantined [134, 135, fn14]",
                f"{counted['n']} of service {row['service']} in {row['window_s']:g} s, threshold {row['threshold']}",
                "release or discard it from quarantine, or agree another threshold",
            )
    return None


def duplicate(desk: Desk, arrival: Arrival) -> Refusal | None:
    """CK-8: a request identifier is used once (MS-02); a signed pre-command answers an open pre-command once."""
    name = str(arrival.request.request_id)
    row = desk.store.row("SELECT state FROM requests WHERE request = ?", (name,))
    rule = "every message identifier is unique; a repeat is rejected (MS-02 [391], choice)"
    if arrival.request.is_signed_pre_command:
        if row is not None and row["state"] == "pre-command":
            return None
        state = "no pre-command was issued for it" if row is None else f"it is {row['state']} already"
        return Refusal(
            HOP,
            "CK-8 duplicate",
            rule,
            f"a signed pre-command for {name}: {state}",
            "send the service request first, and sign its pre-command once",
        )
    if row is not None:
        return Refusal(HOP, "CK-8 duplicate", rule, f"{name} was received before and is {row['state']}", "use the next originator counter")
    return None


CHECKS: tuple[Callable[[Desk, Arrival], Refusal | None], ...] = (
    structure,
    user,
    device_status,
    registration,
    credentials,
    certificate,
    anomaly,
    duplicate,
)
"""In the order they run. Non-device services pass device_status and registration untouched (CK-09 [139])."""


def first_failure(desk: Desk, arrival: Arrival, *, released: bool = False) -> Refusal | None:
    """Run the checks in order and stop at the first that fails. ``released``: from quarantine, so anomaly is not asked again."""
    for check in CHECKS:
        if check is anomaly and released:
            continue
        if (refusal := check(desk, arrival)) is not None:
            return refusal
    return None
