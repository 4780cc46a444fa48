"""A netlink dump over a bare socket, for the two requests that pyroute2 does not make as we need them."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3


def dump(netlink: socket.socket, kind: int, request: bytes) -> Iterator[bytes]:
    """The payload of each answer to a dump request of that message type. OSError where the kernel refuses."""
    netlink.send(HEADER.pack(HEADER.size + len(request), kind, _DUMP, 1, 0) + request)
    while True:
        data = netlink.recv(1 << 17)
        while data:
            length, answer, *_ = HEADER.unpack_from(data)
            if answer == _DONE:
                return
            if answer == _ERROR:
                code = error_of(data)
                raise OSError(code, os.strerror(code))
            yield data[HEADER.size : length]
            data = data[(length + 3) & ~3 :]


def error_of(message: bytes) -> int:
    """The errno of a struct nlmsgerr; 0 is an acknowledgement."""
    code: int = -struct.unpack_from("=i", message, HEADER.size)[0]
    return code
