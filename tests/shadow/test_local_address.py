from __future__ import annotations

import ipaddress
import socket

import pytest

from mirror_addon.shadow.local_address import own_address


def test_it_is_an_address_of_this_machine() -> None:
    address = own_address()
    assert ipaddress.ip_address(address).version == 4
    with socket.socket() as sock:
        sock.bind((address, 0))  # fails for an address that is not ours


def test_the_loopback_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    loopback = [(index, name) for index, name in socket.if_nameindex() if name.startswith("lo")]
    monkeypatch.setattr(socket, "if_nameindex", lambda: [*loopback, (999, "absent0")])
    assert own_address() == "127.0.0.1"


def test_the_first_interface_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    first = own_address()
    interfaces = socket.if_nameindex()
    monkeypatch.setattr(socket, "if_nameindex", lambda: [*interfaces, *interfaces])
    assert own_address() == first
