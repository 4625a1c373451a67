"""Dask's processes that are made here run what they are told: by this machine alone, and by nobody without their key."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import pytest

from hil.fleet.cluster import Workers, _client


def test_a_cluster_made_here_listens_on_this_machine_alone_and_takes_nobody_without_its_key() -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    with ExitStack() as stack:
        before = {one.laddr for one in psutil.Process().net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        client = stack.enter_context(_client(Workers(count=0), stack))
        listening = {one.laddr for one in psutil.Process().net_connections("tcp") if one.status == psutil.CONN_LISTEN} - before
        assert {ip for ip, _ in listening} == {"127.0.0.1"}
        place = urlsplit(client.scheduler.address)
        assert place.hostname is not None
        with socket.create_connection((place.hostname, place.port)) as wire, pytest.raises(ssl.SSLError, match="certificate required"):
            stranger.wrap_socket(wire).recv(1)
