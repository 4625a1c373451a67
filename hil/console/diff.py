"""Two runs, compared at message level: counters and times do not count, what became of each message does."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firmware_emu.trace import Record

_NAMES = ("variant", "use_case", "code")


@dataclass(frozen=True, slots=True)
class Story:
    """One message of a run: who sent it to whom as what, and its hops. ``records`` are the numbers of first and last."""

    name: str
    hops: tuple[str, ...]
    records: tuple[int, int]


@dataclass(frozen=True, slots=True)
class RunDifference:
    """``kind``: ``-`` only in the first run, ``+`` only in the second, ``~`` another way in both."""

    kind: str
    name: str
    what: str

    def as_json(self) -> dict[str, str]:
        return {"kind": self.kind, "name": self.name, "what": self.what}


def stories(records: Iterable[Record]) -> list[Story]:
    """The messages of a run in the order in which they began; those of the HAN that have no identifier are left out."""
    hops: dict[str, list[Record]] = {}
    for record in records:
        if record.message:
            hops.setdefault(record.message, []).append(record)
    return [_story(message, found) for message, found in hops.items()]


def _story(message: str, hops: Sequence[Record]) -> Story:
    parties = message.rpartition(":")[0].replace("-", "").lower()
    what = next((f"{name} {record.detail[name]} " for record in hops for name in _NAMES if record.detail.get(name)), "")
    said = tuple(dict.fromkeys(f"{hop.source} {hop.event}" for hop in hops))
    return Story(f"{what}{parties}", said, (hops[0].number, hops[-1].number))


def compare(before: Iterable[Record], after: Iterable[Record]) -> list[RunDifference]:
    """Differences between two runs."""
    one, other = stories(before), stories(after)
    matcher = difflib.SequenceMatcher(None, [story.name for story in one], [story.name for story in other], autojunk=False)
    found: list[RunDifference] = []
    for kind, left, right, begin, end in matcher.get_opcodes():
        if kind == "equal":
            found += [difference for old, new in zip(one[left:right], other[begin:end], strict=True) for difference in _changed(old, new)]
        else:
            found += [RunDifference("-", story.name, f"@{story.records[0]}: {', '.join(story.hops)}") for story in one[left:right]]
            found += [RunDifference("+", story.name, f"@{story.records[0]}: {', '.join(story.hops)}") for story in other[begin:end]]
    return found


def _changed(old: Story, new: Story) -> list[RunDifference]:
    gone = [hop for hop in old.hops if hop not in new.hops]
    come = [hop for hop in new.hops if hop not in old.hops]
    if not gone and not come:
        return []
    parts = []
    if gone:
        parts.append(f"no longer {', '.join(gone)} (@{old.records[0]})")
    if come:
        parts.append(f"but {', '.join(come)} (@{new.records[0]})")
    return [RunDifference("~", old.name, "; ".join(parts))]
