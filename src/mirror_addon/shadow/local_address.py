"""The address of this machine that a shadow's X-Forwarded-For names as its last hop."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
import sys

# ioctl numbers of <net/if.h>; `struct ifreq` starts with the name, 16 bytes, and a sockaddr_in.
_SIOCGIFADDR = 0xC0206921 if sys.platform == "darwin" else 0x8915
_IFREQ_SIZE = 40
_IPV4_OFFSET = 20


def own_address() -> str:
    """The IPv4 address of the first interface that is not loopback, else 127.0.0.1: Envoy's rule
    (source/common/network/utility.cc, getLocalAddress).

    Asks the kernel for each interface in turn. The usual way, to connect a UDP socket to some address and to read its
    own, finds the interface of the default route instead, and fails on a machine without one.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            request = struct.pack(f"{_IFREQ_SIZE}s", name.encode()[:15])
            try:
                reply = fcntl.ioctl(sock.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue  # an interface without an IPv4 address
            address = ipaddress.IPv4Address(reply[_IPV4_OFFSET : _IPV4_OFFSET + 4])
            if not address.is_loopback:
                return str(address)
    return "127.0.0.1"
