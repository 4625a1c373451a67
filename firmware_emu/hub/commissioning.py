"""Brings the radio to what the Device Log says: network, joining windows, leaving, link keys.

Level-triggered: everything is worked out from the store at each :meth:`Commissioning.reconcile`, at a boot as after a
Command, so that it does not matter where the power went. Key establishment runs on the host as responder (suite 2); its
key is imported into the radio, and the log's change raises CS14.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from firmware_emu.crypto.entropy import SYSTEM, Entropy
from firmware_emu.device.store import Store
from firmware_emu.errors import NotAvailable, RadioError
from firmware_emu.han.base import HanEvent, HanEventKind, HanRadio, NetworkSettings
from firmware_emu.han.custody import Custody, CustodyRadio, DongleContent, compose, differences
from firmware_emu.hub.chf import REMOVALS, ChfExecutor
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, ListedState
from firmware_emu.hub.network_key import NetworkKeyRotation
from firmware_emu.hub.profile import HubProfile
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace

_KEY = "hub/network/key"
_FORMED = "hub/network/formed"
_DONGLE, _RECORD = "hub/network/dongle", "hub/dongle/record"
_RECORDED = ("channel", "pan_id", "key_sequence", "frame_counter", "update_id")


class Commissioning:
    """The trust centre's side of joining. ``now`` is the hub's own time, seconds since 2000."""

    def __init__(
        self,
        radio: HanRadio,
        log: DeviceLog,
        chf: ChfExecutor,
        store: Store,
        now: Callable[[], float],
        trace: Trace,
        channel: int,
        profile: HubProfile,
        entropy: Entropy = SYSTEM,
        custody: Custody = Custody.REFUSE,
    ) -> None:
        self._radio = radio
        self._log = log
        self._chf = chf
        self._store = store
        self._now = now
        self._trace = trace
        self._channel = channel
        self._custody = custody
        self._permitted: dict[Eui64, tuple[bytes, float]] = {}
        self._restored: dict[Eui64, bytes] = {}
        self.rotation = NetworkKeyRotation(radio, store, now, trace, profile, self._rotated, entropy)
        self.network: NetworkSettings | None = None
        self.on_rotated: Callable[[], None] = lambda: None
        """Called when a new network key has come into use."""

    async def bring_up(self) -> NetworkSettings:
        """Resume the network the dongle remembers if it is the one this hub formed, else form it. Raises RadioError.

        What the dongle holds is compared with what this hub remembers first, and saved before it is overwritten. A hub that was reset to
        factory state takes nothing over from its dongle. Raises NotAvailable where the dongle is another one or holds a stranger's
        network and nobody said what to do with it.
        """
        wanted = self._chf.extended_pan_id
        own = self._own()
        radio: object = self._radio
        if isinstance(radio, CustodyRadio):
            held = await radio.held()
            found = differences(held, self._dongle(), own, wanted)
            if found and self._custody is Custody.RESTORE:
                self.network = await self._restore(radio, held, own)
                return self.network
            if found and self._custody is Custody.REFUSE:
                raise await self._refusal(radio, held, found)
            stays = held.network is not None and own is not None and not found
            if held.network is not None and held.coordinator and not stays:
                await radio.save_backup()
            settings = await self._radio.resume() if stays else None
        else:
            settings = await self._radio.resume()
        if settings is None or settings.extended_pan_id != wanted or own is None or own.extended_pan_id != wanted:
            ours = own is not None and own.extended_pan_id == wanted
            settings = await self._form(wanted, self._store.get(_KEY) if ours else None)
        else:
            self._remember(settings)
            self._trace.emit("han", "hub", "resumed", target=str(settings.extended_pan_id), channel=settings.channel)
        self.network = settings
        return settings

    def _dongle(self) -> Eui64 | None:
        octets = self._store.get(_DONGLE)
        return None if octets is None else Eui64(octets)

    def _own(self) -> NetworkSettings | None:
        """The network this hub formed last."""
        formed, record = self._store.get(_FORMED), self._store.get(_RECORD)
        if formed is None:
            return None
        settings = NetworkSettings(Eui64(formed), self._channel, network_key=self._store.get(_KEY))
        return settings if record is None else replace(settings, **json.loads(record))

    async def _restore(self, radio: CustodyRadio, held: DongleContent, own: NetworkSettings | None) -> NetworkSettings:
        dongle = self._dongle()
        if own is None or dongle is None:
            raise NotAvailable("a network of this hub to restore", "it has formed none: type --take-over to form one in this dongle")
        if held.network is not None and held.coordinator:
            await radio.save_backup()
        keys = {entry.device: entry.radio_key for entry in self._log.entries() if entry.radio_key}
        settings = await radio.restore(compose(dongle, own, keys))
        self._remember(settings)
        self._trace.emit("han", "hub", "restored", target=str(settings.extended_pan_id), channel=settings.channel)
        return settings

    async def _refusal(self, radio: CustodyRadio, held: DongleContent, found: tuple[str, ...]) -> NotAvailable:
        """Save what is there, leave the dongle as it was, and say what differs and what to type."""
        saved = "it holds nothing to save"
        if held.network is not None and held.coordinator:
            try:
                saved = f"a backup of it is in {await radio.save_backup()}"
            except (RadioError, NotAvailable) as trouble:
                saved = f"it could not be saved ({trouble})"
        await radio.silence()
        return NotAvailable(
            f"the dongle {held.dongle} for this hub",
            f"{'; '.join(found)}; nothing in it was changed and {saved}: type --take-over to form this hub's network in it, or --restore "
            "to write this hub's own network into it (on a board: radio.custody)",
        )

    async def _form(self, extended_pan_id: Eui64, network_key: bytes | None) -> NetworkSettings:
        settings = await self._radio.form(NetworkSettings(extended_pan_id, self._channel, network_key=network_key))
        self._remember(settings)
        self.rotation.formed()
        for entry in self._log.entries():  # a dongle that forgot its network forgot its keys
            if entry.radio_key:
                await self._radio.import_link_key(entry.device, entry.radio_key)
        self._trace.emit("han", "hub", "formed", target=str(settings.extended_pan_id), channel=settings.channel)
        return settings

    def _remember(self, settings: NetworkSettings) -> None:
        with self._store.transaction():
            self._store.put(_FORMED, settings.extended_pan_id.octets)
            self._store.put(_DONGLE, self._radio.eui64.octets)
            self._store.put(_RECORD, json.dumps({name: getattr(settings, name) for name in _RECORDED}).encode())
            if settings.network_key is not None:
                self._store.put(_KEY, settings.network_key)

    async def reconcile(self) -> float | None:
        """Bring network, removals and windows to what the store says; the seconds until there is something to do again.

        Raises RadioError when the dongle does not do it; call again then.
        """
        if self.network is None or self.network.extended_pan_id != self._chf.extended_pan_id:
            self._permitted.clear()
            self.network = await self._form(self._chf.extended_pan_id, None)
        await self._take_restored()
        for key in self._store.keys(REMOVALS):
            device = Eui64.parse(key[len(REMOVALS) :])
            await self._leave(device)
            self._store.delete(key)
        waits = [wait for wait in (await self._windows(), await self.rotation.reconcile()) if wait is not None]
        return min(waits, default=None)

    def _rotated(self, settings: NetworkSettings) -> None:
        self.network = settings
        self._remember(settings)
        self.on_rotated()

    async def _leave(self, device: Eui64) -> None:
        self._permitted.pop(device, None)
        try:
            await self._radio.remove(device)
        except RadioError as error:  # the dongle has forgotten the key all the same; an absent Device cannot be told
            self._trace.emit("han", "hub", "not told to leave", target=str(device), reason=str(error))
        else:
            self._trace.emit("han", "hub", "removed", target=str(device))

    async def _take_restored(self) -> None:
        """Give the radio the keys of a restored log: their Devices come back by rejoining, whenever they find the hub.

        A window alone would keep out who has no power or sleeps longer than it is open. Each key is given once, before its Device came.
        """
        for entry in self._log.entries():
            key = entry.restored_hash
            if key and not entry.link_key and entry.membership is ListedState.LISTED and self._restored.get(entry.device) != key:
                await self._radio.import_link_key(entry.device, key)
                self._restored[entry.device] = key

    async def _windows(self) -> float | None:
        now = self._now()
        wanted: dict[Eui64, tuple[bytes, float]] = {}
        soonest: float | None = None
        for entry in self._log.entries():
            phase = self.admission(entry, now)
            if phase is not None:
                wanted[entry.device] = phase
                soonest = phase[1] if soonest is None else min(soonest, phase[1])
        if self._permitted and not wanted:
            await self._radio.forbid()
            self._trace.emit("han", "hub", "joining closed")
        for device, (key, until) in wanted.items():
            if self._permitted.get(device) != (key, until):
                await self._radio.permit(device, key, max(1, round(until - now)))
                self._trace.emit("han", "hub", "joining open", target=str(device), seconds=round(until - now))
        self._permitted = wanted
        return None if soonest is None else max(0.0, soonest - now)

    def admission(self, entry: ListedDevice, now: float) -> tuple[bytes, float] | None:
        """With which key ``entry`` may join now, and until when (seconds since 2000); None outside its window.

        A Device in the historic log gets its old key for the first half of the join time and its install code for the second
        (reference chts 2). The window stays open after key establishment: a Device that did not get the last message of it, or
        lost its power then, can start again.
        """
        opened, length = entry.window_opened, entry.window_s
        if not length or now >= opened + length:
            return None
        historic = self._log.historic_entry(entry.device)
        if historic is not None and historic.link_key and not entry.link_key and now < opened + length / 2:
            return historic.link_key, opened + length / 2
        return (entry.admission_key, float(opened + length)) if entry.admission_key else None

    # --- what the radio tells

    def on_event(self, event: HanEvent) -> None:
        """Record what happened below the APS, and take a historic key back into use when its Device came with it."""
        self._trace.emit("han", "hub", event.kind.value, target=str(event.device), reason=event.reason or None)
        if event.kind is HanEventKind.RESET:
            self._permitted.clear()
        entry = self._log.get(event.device)
        if entry is None:
            if event.kind is not HanEventKind.RESET:
                kind = "no link key" if event.kind is HanEventKind.REFUSED else "not in the log"
                self._trace.emit(
                    "hub", "chf", "refused", target=str(event.device), reason=event.reason or "it is not in the CHF Device Log", kind=kind
                )
            return
        if event.kind in (HanEventKind.JOINED, HanEventKind.REJOINED):
            self._log.heard(event.device, None, None)
            if entry.membership is ListedState.LISTED:
                self._log.update(event.device, lambda one: replace(one, membership=ListedState.JOINED))
            self.heard_with_historic_key(event.device)

    def heard_with_historic_key(self, device: Eui64) -> None:
        """If ``device`` is in the first half of its window, its traffic shows that the old key works: use it again (CS14)."""
        entry, historic = self._log.get(device), self._log.historic_entry(device)
        if entry is None or historic is None or not historic.link_key or entry.link_key:
            return
        now = self._now()
        if entry.window_s and now < entry.window_opened + entry.window_s / 2:
            key = historic.link_key
            self._log.update(device, lambda one: replace(one, link_key=key, membership=ListedState.ESTABLISHED, window_s=0))
            self._trace.emit("hub", "chf", "historic key in use", target=str(device))

    def may_establish(self, device: Eui64) -> bool:
        """True if key establishment with ``device`` may run: it is in the log."""
        return self._log.get(device) is not None

    async def established(self, device: Eui64, key: bytes) -> None:
        """Key establishment gave ``key``: make it durable, before it goes into the radio. The log's change raises CS14."""
        entry = self._log.update(
            device, lambda one: replace(one, link_key=key, membership=ListedState.ESTABLISHED, last_communication=int(self._now()))
        )
        if entry is None:
            self._trace.emit("hub", "chf", "refused", target=str(device), reason="it left the CHF Device Log during key establishment")
            return
        self._trace.emit("nvm", "chf", "link key stored", target=str(device))
