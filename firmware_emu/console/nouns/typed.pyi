# Types of nouns and verbs on a bench in Python. Written by tools/api_stubs.py from their declarations.

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

from firmware_emu.console.result import Result

type_of_device = str | BlockingSleeper | AwaitedSleeper

class BlockingBreak:
    def han(self, *which: str) -> Result:
        """Stop what passes on the HAN: messages at a Device, or with ``frame`` first, ZCL frames at the hub's radio."""
    def wan(self, *which: str) -> Result:
        """Stop messages between hub and DCC."""
    def list(self) -> Result:
        """Show the breakpoints, and what stands at one."""
    def clear(self, number: int | str | None = None) -> Result:
        """Take one away by its number, or all."""
    def show(self) -> Result:
        """Show the message that stands, field by field."""
    def change(self, offset: int | str, octets: bytes | str, protection: Literal['left', 'anew'] = ...) -> Result:
        """Put octets into the message that stands, and leave its MAC and signature as they are or make them anew."""
    def go(self, times: int | str = ...) -> Result:
        """Send the message on, once or more often, and go on with the verb that waited for it."""
    def drop(self) -> Result:
        """Lose the message, and go on with the verb that waited for it."""

class BlockingDccNoun:
    def list(self) -> Result:
        """Show the inventory: every Device with its status and its hub."""
    def alerts(self, last: int | str = ...) -> Result:
        """Show the last alerts that reached the DCC: of Devices, and its own."""
    def services(self, device: type_of_device | None = None) -> Result:
        """Show the service requests there are: all, or those for a Device."""
    def read(self, device: type_of_device, what: str = ..., *, by: str = ...) -> Result:
        """Read a meter's registers over the whole chain (4.1.1), or what another read service gives."""
    def send(self, variant: str, target: type_of_device | None = None, *, by: str = ..., counter: int | str = ..., json_: str = ..., **body: str) -> Result:
        """Send a service request and wait for its end; the body as names and values, or as JSON where it has parts."""
    def token(self, meter: type_of_device, pence: int | str, counter: int | str = ...) -> Result:
        """Make a prepayment token for a meter, to be typed in; without a counter, under the supplier's next one."""
    def post(self, *octets: str) -> Result:
        """Post octets to the hub as they are, unchecked: a GBCS message by hand, or one of the trace once more."""

class BlockingDongleNoun:
    def send(self, command: str, **fields: str) -> Result:
        """Ask one EZSP command, its fields by name (numbers, or octets in hex), and show the answer and what was told beside it."""
    def told(self, last: int | str = ...) -> Result:
        """Show the last callbacks of the spare dongle, oldest first."""
    def reset(self) -> Result:
        """Reset it: what was set is gone, what it stored stays."""

class BlockingFaultNoun:
    def add(self, *sentence: str) -> Result:
        """Let something go wrong, as ``fault add han drop 20% to gsme``."""
    def hook(self, do: Callable[..., object] | str, *which: str) -> Result:
        """Call a Python function with each message or frame of a kind: ``fault hook late.py:late response 4.1.1 from esme``."""
    def list(self) -> Result:
        """Show the faults in force and how often each has acted."""
    def clear(self, number: int | str | None = None) -> Result:
        """End one fault by its number, or all."""

class BlockingHanNoun:
    def read(self, device: type_of_device, attribute: str) -> Result:
        """Let the hub read an attribute of a Device over the air, by cluster and name."""
    def send(self, device: type_of_device, command: str, **fields: str) -> Result:
        """Let the hub send a Device a ZCL command, and show the answer."""
    def status(self) -> Result:
        """Tell the network's settings and its members."""
    def events(self, last: int | str = ...) -> Result:
        """Show the last records of the HAN: who joined, what was refused, what was lost."""

class BlockingHubNoun:
    def form(self) -> Result:
        """Switch the supply on and wait until the hub is commissioned and its HAN formed."""
    def status(self) -> Result:
        """Tell what the hub is doing: power, WAN, HAN, what waits."""
    def log(self) -> Result:
        """Show the CHF Device Log."""
    def reset(self) -> Result:
        """Put the hub back as it left the factory: log, keys, counters and mailbox are gone."""

class BlockingJigNoun:
    def status(self) -> Result:
        """Measure the supply and read the lines."""
    def supply(self, to: bool | str) -> Result:
        """Switch the supply: off is a power cut without warning."""
    def volts(self, to: float | str) -> Result:
        """Set the supply's voltage."""
    def mains(self, to: bool | str) -> Result:
        """Take the mains of the home away, with AC Lost and the host's hold-up, or give it back."""

class BlockingRunNoun:
    def show(self) -> Result:
        """Tell where this run is kept, its board, its seed and how long its trace is."""
    def list_(self) -> Result:
        """Show the runs that are kept, newest last."""
    def ladder(self, message: str | None = None, last: int | str = ..., device: type_of_device | None = None, keep_alives: bool | str = ...) -> Result:
        """Draw a sequence: the hops of one message, or the last hops of all; keep-alives only where they are asked for."""
    def diff(self, before: str, after: str | None = None) -> Result:
        """Compare two runs message by message, or one with this; counters and times do not count."""
    def report(self) -> Result:
        """Write report.html and junit.xml of the session so far into the run's folder."""

class BlockingSessionNoun:
    def show(self) -> Result:
        """Show what was said and what came of it."""
    def save(self, file: str) -> Result:
        """Save the session as a pytest test that opens the same board with the same seed and says the same."""
    def help(self, *topic: str) -> Result:
        """Show the manual: all words in short, or the section of a noun, a verb or a plain word."""

class BlockingTimeNoun:
    def now(self) -> Result:
        """Tell the bench's time, how it passes, and the seed."""
    def go(self, span: float | str) -> Result:
        """Let so much bench time pass: hub, Devices, air and DCC together."""
    def speed(self, factor: str) -> Result:
        """Let time pass so many times as fast as outside, or as fast as the work allows: ``warp``."""
    def set(self, to: datetime | str) -> Result:
        """Let bench time pass until it is so late; it does not go backwards."""
    def until(self, event: str, what: str | None = None, within: float | str = ...) -> Result:
        """Let bench time pass until something is recorded: an event by its name, or ``alert CODE``."""

class BlockingTraceNoun:
    def show(self, last: int | str = ..., area: str | None = None, device: type_of_device | None = None, message: str = ...) -> Result:
        """Show the last records: all, or those of areas, of a Device, of a message."""
    def watch(self, area: str = ..., device: type_of_device | None = None, message: str = ..., event: str | None = None) -> Result:
        """Show records as they come: all, those of areas, of a Device, of a message; ``quiet`` is what went wrong, ``off`` none."""
    def explain(self, *octets: str, as_: str | None = None, cluster: int | str | None = None, brief: bool | str = ...) -> Result:
        """Explain octets of any layer field by field; say what they were taken for, or read them ``as=LAYER``; ``brief`` in one line."""
    def why(self, message: str | None = None, *, good: str | None = None) -> Result:
        """Tell why a message, or the last that did not arrive, was refused or lost; beside a ``good`` run, where the two part."""

class BlockingWan:
    def status(self) -> Result:
        """Tell whether the hub is connected and what waits to be sent."""
    def wait(self) -> Result:
        """Wait until the hub is connected."""

class BlockingSleeper:
    def add(self) -> Result:
        """Install it: pre-notify (12.2), add to the hub's log (8.11), join the HAN; a meter is commissioned (8.1.1) and all are paired."""
    def join(self) -> Result:
        """Let it try to join the HAN once."""
    def remove(self) -> Result:
        """Remove it from the hub's log (8.11)."""
    def pair(self, other: type_of_device) -> Result:
        """Join it with another Device or the GPF (8.7.1 for a PPMID and its meter, else 8.7.2)."""
    def power(self, to: bool | str) -> Result:
        """Switch its mains or battery off or on."""
    def status(self) -> Result:
        """Tell what it is and, as its own display would, what it shows."""
    def read(self, attribute: str, of: type_of_device = ...) -> Result:
        """Let it read an attribute over the air, by cluster and name: of the hub, or of the Device that is named."""
    def send(self, command: str, *, of: type_of_device = ..., **fields: str) -> Result:
        """Let it send a ZCL command to the hub, or to the Device that is named, and show the answer."""
    def do(self, what: str, value: str = ...) -> Result:
        """Do something to it by hand: a load, a voltage, a token, a button, a magnet."""
    def events(self, log: Literal['event', 'security', 'power', 'alcs'] = ..., last: int | str = ...) -> Result:
        """Show the last entries of one of its logs as they stand, oldest first."""
    def look(self, item: str) -> Result:
        """Look at a value inside it, as it stands: an attribute of its DLMS objects, or of its ZCL attributes, or `clock`."""
    def wake(self) -> Result:
        """Wake it now, instead of at its next half hour: it fetches what waits for it and pushes its data."""

class BlockingNouns:
    break_: BlockingBreak
    dcc: BlockingDccNoun
    dongle: BlockingDongleNoun
    fault: BlockingFaultNoun
    han: BlockingHanNoun
    hub: BlockingHubNoun
    jig: BlockingJigNoun
    run: BlockingRunNoun
    session: BlockingSessionNoun
    time: BlockingTimeNoun
    trace: BlockingTraceNoun
    wan: BlockingWan
    esme: BlockingSleeper
    gsme: BlockingSleeper
    hcalcs: BlockingSleeper
    ihd: BlockingSleeper
    ppmid: BlockingSleeper
    def ladder(self, message: str | None = None, last: int | str = ..., device: type_of_device | None = None, keep_alives: bool | str = ...) -> Result:
        """Draw a sequence: the hops of one message, or the last hops of all; keep-alives only where they are asked for."""
    def diff(self, before: str, after: str | None = None) -> Result:
        """Compare two runs message by message, or one with this; counters and times do not count."""
    def help(self, *topic: str) -> Result:
        """Show the manual: all words in short, or the section of a noun, a verb or a plain word."""
    def go(self, span: float | str) -> Result:
        """Let so much bench time pass: hub, Devices, air and DCC together."""
    def speed(self, factor: str) -> Result:
        """Let time pass so many times as fast as outside, or as fast as the work allows: ``warp``."""
    def until(self, event: str, what: str | None = None, within: float | str = ...) -> Result:
        """Let bench time pass until something is recorded: an event by its name, or ``alert CODE``."""
    def watch(self, area: str = ..., device: type_of_device | None = None, message: str = ..., event: str | None = None) -> Result:
        """Show records as they come: all, those of areas, of a Device, of a message; ``quiet`` is what went wrong, ``off`` none."""
    def explain(self, *octets: str, as_: str | None = None, cluster: int | str | None = None, brief: bool | str = ...) -> Result:
        """Explain octets of any layer field by field; say what they were taken for, or read them ``as=LAYER``; ``brief`` in one line."""
    def why(self, message: str | None = None, *, good: str | None = None) -> Result:
        """Tell why a message, or the last that did not arrive, was refused or lost; beside a ``good`` run, where the two part."""

class AwaitedBreak:
    def han(self, *which: str) -> Awaitable[Result]:
        """Stop what passes on the HAN: messages at a Device, or with ``frame`` first, ZCL frames at the hub's radio."""
    def wan(self, *which: str) -> Awaitable[Result]:
        """Stop messages between hub and DCC."""
    def list(self) -> Awaitable[Result]:
        """Show the breakpoints, and what stands at one."""
    def clear(self, number: int | str | None = None) -> Awaitable[Result]:
        """Take one away by its number, or all."""
    def show(self) -> Awaitable[Result]:
        """Show the message that stands, field by field."""
    def change(self, offset: int | str, octets: bytes | str, protection: Literal['left', 'anew'] = ...) -> Awaitable[Result]:
        """Put octets into the message that stands, and leave its MAC and signature as they are or make them anew."""
    def go(self, times: int | str = ...) -> Awaitable[Result]:
        """Send the message on, once or more often, and go on with the verb that waited for it."""
    def drop(self) -> Awaitable[Result]:
        """Lose the message, and go on with the verb that waited for it."""

class AwaitedDccNoun:
    def list(self) -> Awaitable[Result]:
        """Show the inventory: every Device with its status and its hub."""
    def alerts(self, last: int | str = ...) -> Awaitable[Result]:
        """Show the last alerts that reached the DCC: of Devices, and its own."""
    def services(self, device: type_of_device | None = None) -> Awaitable[Result]:
        """Show the service requests there are: all, or those for a Device."""
    def read(self, device: type_of_device, what: str = ..., *, by: str = ...) -> Awaitable[Result]:
        """Read a meter's registers over the whole chain (4.1.1), or what another read service gives."""
    def send(self, variant: str, target: type_of_device | None = None, *, by: str = ..., counter: int | str = ..., json_: str = ..., **body: str) -> Awaitable[Result]:
        """Send a service request and wait for its end; the body as names and values, or as JSON where it has parts."""
    def token(self, meter: type_of_device, pence: int | str, counter: int | str = ...) -> Awaitable[Result]:
        """Make a prepayment token for a meter, to be typed in; without a counter, under the supplier's next one."""
    def post(self, *octets: str) -> Awaitable[Result]:
        """Post octets to the hub as they are, unchecked: a GBCS message by hand, or one of the trace once more."""

class AwaitedDongleNoun:
    def send(self, command: str, **fields: str) -> Awaitable[Result]:
        """Ask one EZSP command, its fields by name (numbers, or octets in hex), and show the answer and what was told beside it."""
    def told(self, last: int | str = ...) -> Awaitable[Result]:
        """Show the last callbacks of the spare dongle, oldest first."""
    def reset(self) -> Awaitable[Result]:
        """Reset it: what was set is gone, what it stored stays."""

class AwaitedFaultNoun:
    def add(self, *sentence: str) -> Awaitable[Result]:
        """Let something go wrong, as ``fault add han drop 20% to gsme``."""
    def hook(self, do: Callable[..., object] | str, *which: str) -> Awaitable[Result]:
        """Call a Python function with each message or frame of a kind: ``fault hook late.py:late response 4.1.1 from esme``."""
    def list(self) -> Awaitable[Result]:
        """Show the faults in force and how often each has acted."""
    def clear(self, number: int | str | None = None) -> Awaitable[Result]:
        """End one fault by its number, or all."""

class AwaitedHanNoun:
    def read(self, device: type_of_device, attribute: str) -> Awaitable[Result]:
        """Let the hub read an attribute of a Device over the air, by cluster and name."""
    def send(self, device: type_of_device, command: str, **fields: str) -> Awaitable[Result]:
        """Let the hub send a Device a ZCL command, and show the answer."""
    def status(self) -> Awaitable[Result]:
        """Tell the network's settings and its members."""
    def events(self, last: int | str = ...) -> Awaitable[Result]:
        """Show the last records of the HAN: who joined, what was refused, what was lost."""

class AwaitedHubNoun:
    def form(self) -> Awaitable[Result]:
        """Switch the supply on and wait until the hub is commissioned and its HAN formed."""
    def status(self) -> Awaitable[Result]:
        """Tell what the hub is doing: power, WAN, HAN, what waits."""
    def log(self) -> Awaitable[Result]:
        """Show the CHF Device Log."""
    def reset(self) -> Awaitable[Result]:
        """Put the hub back as it left the factory: log, keys, counters and mailbox are gone."""

class AwaitedJigNoun:
    def status(self) -> Awaitable[Result]:
        """Measure the supply and read the lines."""
    def supply(self, to: bool | str) -> Awaitable[Result]:
        """Switch the supply: off is a power cut without warning."""
    def volts(self, to: float | str) -> Awaitable[Result]:
        """Set the supply's voltage."""
    def mains(self, to: bool | str) -> Awaitable[Result]:
        """Take the mains of the home away, with AC Lost and the host's hold-up, or give it back."""

class AwaitedRunNoun:
    def show(self) -> Awaitable[Result]:
        """Tell where this run is kept, its board, its seed and how long its trace is."""
    def list_(self) -> Awaitable[Result]:
        """Show the runs that are kept, newest last."""
    def ladder(self, message: str | None = None, last: int | str = ..., device: type_of_device | None = None, keep_alives: bool | str = ...) -> Awaitable[Result]:
        """Draw a sequence: the hops of one message, or the last hops of all; keep-alives only where they are asked for."""
    def diff(self, before: str, after: str | None = None) -> Awaitable[Result]:
        """Compare two runs message by message, or one with this; counters and times do not count."""
    def report(self) -> Awaitable[Result]:
        """Write report.html and junit.xml of the session so far into the run's folder."""

class AwaitedSessionNoun:
    def show(self) -> Awaitable[Result]:
        """Show what was said and what came of it."""
    def save(self, file: str) -> Awaitable[Result]:
        """Save the session as a pytest test that opens the same board with the same seed and says the same."""
    def help(self, *topic: str) -> Awaitable[Result]:
        """Show the manual: all words in short, or the section of a noun, a verb or a plain word."""

class AwaitedTimeNoun:
    def now(self) -> Awaitable[Result]:
        """Tell the bench's time, how it passes, and the seed."""
    def go(self, span: float | str) -> Awaitable[Result]:
        """Let so much bench time pass: hub, Devices, air and DCC together."""
    def speed(self, factor: str) -> Awaitable[Result]:
        """Let time pass so many times as fast as outside, or as fast as the work allows: ``warp``."""
    def set(self, to: datetime | str) -> Awaitable[Result]:
        """Let bench time pass until it is so late; it does not go backwards."""
    def until(self, event: str, what: str | None = None, within: float | str = ...) -> Awaitable[Result]:
        """Let bench time pass until something is recorded: an event by its name, or ``alert CODE``."""

class AwaitedTraceNoun:
    def show(self, last: int | str = ..., area: str | None = None, device: type_of_device | None = None, message: str = ...) -> Awaitable[Result]:
        """Show the last records: all, or those of areas, of a Device, of a message."""
    def watch(self, area: str = ..., device: type_of_device | None = None, message: str = ..., event: str | None = None) -> Awaitable[Result]:
        """Show records as they come: all, those of areas, of a Device, of a message; ``quiet`` is what went wrong, ``off`` none."""
    def explain(self, *octets: str, as_: str | None = None, cluster: int | str | None = None, brief: bool | str = ...) -> Awaitable[Result]:
        """Explain octets of any layer field by field; say what they were taken for, or read them ``as=LAYER``; ``brief`` in one line."""
    def why(self, message: str | None = None, *, good: str | None = None) -> Awaitable[Result]:
        """Tell why a message, or the last that did not arrive, was refused or lost; beside a ``good`` run, where the two part."""

class AwaitedWan:
    def status(self) -> Awaitable[Result]:
        """Tell whether the hub is connected and what waits to be sent."""
    def wait(self) -> Awaitable[Result]:
        """Wait until the hub is connected."""

class AwaitedSleeper:
    def add(self) -> Awaitable[Result]:
        """Install it: pre-notify (12.2), add to the hub's log (8.11), join the HAN; a meter is commissioned (8.1.1) and all are paired."""
    def join(self) -> Awaitable[Result]:
        """Let it try to join the HAN once."""
    def remove(self) -> Awaitable[Result]:
        """Remove it from the hub's log (8.11)."""
    def pair(self, other: type_of_device) -> Awaitable[Result]:
        """Join it with another Device or the GPF (8.7.1 for a PPMID and its meter, else 8.7.2)."""
    def power(self, to: bool | str) -> Awaitable[Result]:
        """Switch its mains or battery off or on."""
    def status(self) -> Awaitable[Result]:
        """Tell what it is and, as its own display would, what it shows."""
    def read(self, attribute: str, of: type_of_device = ...) -> Awaitable[Result]:
        """Let it read an attribute over the air, by cluster and name: of the hub, or of the Device that is named."""
    def send(self, command: str, *, of: type_of_device = ..., **fields: str) -> Awaitable[Result]:
        """Let it send a ZCL command to the hub, or to the Device that is named, and show the answer."""
    def do(self, what: str, value: str = ...) -> Awaitable[Result]:
        """Do something to it by hand: a load, a voltage, a token, a button, a magnet."""
    def events(self, log: Literal['event', 'security', 'power', 'alcs'] = ..., last: int | str = ...) -> Awaitable[Result]:
        """Show the last entries of one of its logs as they stand, oldest first."""
    def look(self, item: str) -> Awaitable[Result]:
        """Look at a value inside it, as it stands: an attribute of its DLMS objects, or of its ZCL attributes, or `clock`."""
    def wake(self) -> Awaitable[Result]:
        """Wake it now, instead of at its next half hour: it fetches what waits for it and pushes its data."""

class AwaitedNouns:
    break_: AwaitedBreak
    dcc: AwaitedDccNoun
    dongle: AwaitedDongleNoun
    fault: AwaitedFaultNoun
    han: AwaitedHanNoun
    hub: AwaitedHubNoun
    jig: AwaitedJigNoun
    run: AwaitedRunNoun
    session: AwaitedSessionNoun
    time: AwaitedTimeNoun
    trace: AwaitedTraceNoun
    wan: AwaitedWan
    esme: AwaitedSleeper
    gsme: AwaitedSleeper
    hcalcs: AwaitedSleeper
    ihd: AwaitedSleeper
    ppmid: AwaitedSleeper
    def ladder(self, message: str | None = None, last: int | str = ..., device: type_of_device | None = None, keep_alives: bool | str = ...) -> Awaitable[Result]:
        """Draw a sequence: the hops of one message, or the last hops of all; keep-alives only where they are asked for."""
    def diff(self, before: str, after: str | None = None) -> Awaitable[Result]:
        """Compare two runs message by message, or one with this; counters and times do not count."""
    def help(self, *topic: str) -> Awaitable[Result]:
        """Show the manual: all words in short, or the section of a noun, a verb or a plain word."""
    def go(self, span: float | str) -> Awaitable[Result]:
        """Let so much bench time pass: hub, Devices, air and DCC together."""
    def speed(self, factor: str) -> Awaitable[Result]:
        """Let time pass so many times as fast as outside, or as fast as the work allows: ``warp``."""
    def until(self, event: str, what: str | None = None, within: float | str = ...) -> Awaitable[Result]:
        """Let bench time pass until something is recorded: an event by its name, or ``alert CODE``."""
    def watch(self, area: str = ..., device: type_of_device | None = None, message: str = ..., event: str | None = None) -> Awaitable[Result]:
        """Show records as they come: all, those of areas, of a Device, of a message; ``quiet`` is what went wrong, ``off`` none."""
    def explain(self, *octets: str, as_: str | None = None, cluster: int | str | None = None, brief: bool | str = ...) -> Awaitable[Result]:
        """Explain octets of any layer field by field; say what they were taken for, or read them ``as=LAYER``; ``brief`` in one line."""
    def why(self, message: str | None = None, *, good: str | None = None) -> Awaitable[Result]:
        """Tell why a message, or the last that did not arrive, was refused or lost; beside a ``good`` run, where the two part."""
