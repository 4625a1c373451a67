"""Pre-commands of requests with other values than the templates': what the DCC transforms, Correlate reads as requested.

Two implementations that share no code judge each other: each value of a critical template is exchanged for others that its type in the
DUIS schema takes, among them its bounds and every word of an enumeration.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from lxml import etree

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.dcc.duis import read_request
from hil.dcc.duis.element_types import ElementType, _tables, element_type, wrong_value
from hil.dcc.parties.users import HeldKeys
from hil.dcc.transform import transform
from hil.dcc.transform.check import CREATED, Checker, reference_devices
from hil.parse_correlate import Entity, Known, correlate

_KEPT = frozenset({"RequestID", "CommandVariant", "ServiceReference", "ServiceReferenceVariant", "CurrencyUnits"})


def leaves(element: etree._Element, kind: ElementType) -> Iterator[tuple[etree._Element, str]]:
    """Elements that hold a value, each with the type of it."""
    for child in element:
        part = kind.part(etree.QName(child).localname) if isinstance(child.tag, str) else None
        if part is None:
            continue
        inner = element_type(part.type)
        if inner.text is not None and not len(child):
            yield child, inner.text
        yield from leaves(child, inner)


def others(kind: str, text: str, chooser: random.Random) -> Sequence[str]:
    """Other values of the type, at its bounds and within."""
    rule = _tables()[1].get(kind)
    if rule is not None and rule.enum:
        found = [word for word in rule.enum if word != text]
    elif text in ("true", "false"):
        found = ["false" if text == "true" else "true"]
    elif text.lstrip("-").isdecimal():
        bounds = [] if rule is None else [bound for facet, bound in rule.bounds.items() if facet.endswith("Inclusive")]
        found = [*bounds, *(str(chooser.randrange(1, 10**digits)) for digits in (1, 2, 3, 5))]
    elif text.count(":") == 2 and "T" not in text:
        found = [f"{chooser.randrange(24):02d}:{chooser.randrange(60):02d}:{chooser.randrange(60):02d}.00Z"]
    else:
        found = []
    return [one for one in found if one != text and wrong_value(kind, one) is None]


@pytest.mark.parametrize("seed", range(3))
def test_a_pre_command_of_other_values_is_what_was_requested(duis: Path, rtds: Path, seed: int) -> None:
    chooser = random.Random(seed)
    keystore, devices = Keystore.load(rtds / "keys"), reference_devices()
    checker, held = Checker(keystore, devices, names=False), HeldKeys(keystore)
    correlated = changed = refused = 0
    for file in sorted((duis / "templates").glob("*.XML")):
        original = file.read_bytes()
        request = read_request(original)
        if request.variant.kind != "critical":
            continue
        root = etree.fromstring(original)
        for element, kind in leaves(root, element_type("Request")):
            if etree.QName(element).localname not in _KEPT and chooser.random() < 0.5:
                found = others(kind, (element.text or "").strip(), chooser)
                if found:
                    before, element.text = element.text, chooser.choice(found)
                    try:
                        again = read_request(etree.tostring(root))
                        transform(again, checker.context(again, 6001))
                    except CommsHubError:
                        element.text, refused = before, refused + 1
                    else:
                        changed += 1
        octets = etree.tostring(root)
        varied = read_request(octets)
        message = transform(varied, checker.context(varied, 6001))
        device = devices[varied.request_id.target]
        known = Known(
            CREATED,
            Entity(message.header.originator.octets),
            message.header.counter,
            lambda entity: None if (found := devices.get(Eui64(entity.octets))) is None else int(found.device_type),
            held.agreement_certificates,
            elements=device.profile.elements,
        )
        verdict = correlate(octets, message.encode(), known=known)
        assert verdict.match, (file.name, verdict.as_text()[:400])
        correlated += 1
    assert correlated > 60
    assert changed > 10 * refused


@pytest.mark.parametrize(
    ("stem", "year", "expected"),
    [
        ("ECS46c_6.14.2_CANCELLATION_ALL_OPTIONALS", "10000", "read '10000', expected totalDigits 4"),
        ("GCS05_2.1_CANCELLATION", "2155", "read 2155, expected 1900 to 2154"),
    ],
)
def test_a_year_that_its_octets_cannot_say_is_refused_in_one_line(duis: Path, rtds: Path, stem: str, year: str, expected: str) -> None:
    """The schema takes years of four digits; ZCL dates have one octet of it, from 1900, FF any."""
    checker = Checker(Keystore.load(rtds / "keys"), reference_devices(), names=False)

    def of(year: int) -> bytes:
        root = etree.fromstring((duis / "templates" / f"{stem}_SUCCESS_REQUEST_DUIS.XML").read_bytes())
        found = next(element for element in root.iter() if str(element.tag).endswith("}SpecifiedYear"))
        found.text = str(year)
        request = read_request(etree.tostring(root))
        return transform(request, checker.context(request, 6001)).encode()

    assert of(int(year) - 1) != of(int(year) - 2)
    with pytest.raises(CommsHubError, match=expected):
        of(int(year))


def test_a_schedule_that_names_a_special_day_which_is_not_defined_is_refused(duis: Path, rtds: Path) -> None:
    checker = Checker(Keystore.load(rtds / "keys"), reference_devices(), names=False)
    root = etree.fromstring((duis / "templates" / "ECS08_2.1_FUTURE_DATED_SUCCESS_REQUEST_DUIS.XML").read_bytes())
    defined = sum(str(element.tag).endswith("}SpecialDay") for element in root.iter())
    named = next(element for element in root.iter() if str(element.tag).endswith("}SpecialDayID"))
    for number, taken in ((defined, True), (defined + 1, False)):
        named.text = str(number)
        request = read_request(etree.tostring(root))
        if taken:
            transform(request, checker.context(request, 6001))
        else:
            with pytest.raises(CommsHubError, match=f"names special day {number}, expected one of the {defined}"):
                transform(request, checker.context(request, 6001))


def test_each_changed_value_of_a_request_is_found_against_the_pre_command_of_another(duis: Path, rtds: Path) -> None:
    chooser = random.Random(4)
    keystore, devices = Keystore.load(rtds / "keys"), reference_devices()
    checker, held = Checker(keystore, devices, names=False), HeldKeys(keystore)
    found = 0
    for file in sorted((duis / "templates").glob("*.XML")):
        original = file.read_bytes()
        request = read_request(original)
        if request.variant.kind != "critical":
            continue
        message = transform(request, checker.context(request, 6001))
        known = Known(
            CREATED, Entity(message.header.originator.octets), message.header.counter, lambda _: None, held.agreement_certificates
        )
        root = etree.fromstring(original)
        places = [one for one in leaves(root, element_type("Request")) if etree.QName(one[0]).localname not in _KEPT]
        for element, kind in chooser.sample(places, min(len(places), 4)):
            before = element.text
            for value in others(kind, (before or "").strip(), chooser)[:1]:
                element.text = value
                try:
                    changed = read_request(etree.tostring(root))
                    made = transform(changed, checker.context(changed, 6001)).encode()
                except CommsHubError:
                    continue
                if made != message.encode():
                    verdict = correlate(etree.tostring(root), message.encode(), known=known)
                    assert not verdict.match, (file.name, etree.QName(element).localname, before, value)
                    found += 1
            element.text = before
    assert found > 100
