"""``chub ncp`` in a process of its own, and a plain script that knows bellows only."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.patience import PATIENCE_S

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]


SCRIPT = """
import asyncio, json, sys
import bellows.types as t
import zigpy.types as zt
from bellows.zigbee.application import ControllerApplication

def config():
    device = {"path": sys.argv[1], "baudrate": 115200, "flow_control": None}
    return {"database_path": None, "device": device, "backup_enabled": False, "startup_energy_scan": False,
            "use_thread": False, "network": {"channel": 20}}

async def main():
    app = ControllerApplication(config())
    await app.connect()
    await app.form_network()
    formed = int(app.state.network_info.pan_id)
    await app.disconnect()
    app = ControllerApplication(config())
    await app.connect()
    await app.start_network()
    await app.permit_with_link_key(zt.EUI64.convert("00:11:22:33:44:55:66:77"), t.KeyData(bytes(range(16))), 60)
    counters = await app._ezsp.read_counters()
    print(json.dumps({"formed": formed, "resumed": int(app.state.network_info.pan_id), "channel": int(app.state.network_info.channel),
                      "ieee": str(app.state.node_info.ieee), "counters": len(counters), "version": app._ezsp.ezsp_version}))
    await app.disconnect()

asyncio.run(main())
"""


@contextmanager
def dongle(*options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*CHUB, "ncp", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def drive(path: str, script: str = SCRIPT) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
