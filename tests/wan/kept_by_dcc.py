"""The DCC's process of the SIGKILL test: keeps every message of one hub in a store. Arguments: folder, CHF EUI-64."""

from __future__ import annotations

import sys
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanFrame
from firmware_emu.wan.channel import WanChannel, WanSide
from firmware_emu.wan.tcp import TcpWanServer
from firmware_emu.wan.tls import files_of


async def main(folder: Path, chf: Eui64, clock: Clock) -> None:
    store = SqliteStore(folder / "dcc.db")
    server = TcpWanServer("127.0.0.1", 0, files_of(folder / "tls", "dcc"))
    await server.start()
    (folder / "port.new").write_text(str(server.port))
    (folder / "port.new").rename(folder / "port")

    def keep(frame: WanFrame) -> None:
        store.put(f"kept/{len(store.keys('kept/')):06d}", frame.body)

    await WanChannel(server.link(chf), store, clock, side=WanSide.DCC, name="hub", trace=Trace(clock.now), on_frame=keep).run()


if __name__ == "__main__":
    clock = Clock()
    clock.run(main(Path(sys.argv[1]), Eui64.parse(sys.argv[2]), clock))
