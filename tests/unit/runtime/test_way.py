"""What ends a flow before it is open."""

from __future__ import annotations

import asyncio
import errno
from typing import cast

import pytest

from hostagent.runtime.leg import Leg
from hostagent.runtime.way import TCP, Refused
from hostagent.runtime.worker import Worker
from hostagent.values.flow import FlowId


class GoneSocket:
    """An accepted socket whose client has reset the connection."""

    def getsockname(self) -> tuple[str, int]:
        return ("10.77.0.2", 5432)

    def getpeername(self) -> tuple[str, int]:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def fileno(self) -> int:
        return -1


class GoneTransport(asyncio.Transport):
    def get_extra_info(self, name: str, default: object = None) -> object:
        return GoneSocket() if name == "socket" else default


def test_a_client_that_reset_before_accept_ends_its_flow_and_nothing_else() -> None:
    worker = cast(Worker, None)  # it is not asked
    with pytest.raises(Refused, match="gone before it was accepted"):
        asyncio.run(TCP.attributed(worker, FlowId("f"), GoneTransport()))


def test_a_client_that_left_while_it_was_attributed_has_said_nothing() -> None:
    """So that it came is recorded, as of any other that goes where no target is."""

    class GoneLeg:
        kept = b""
        transport = GoneTransport()

    assert asyncio.run(TCP.first_bytes(cast(Leg, GoneLeg()))) == b""
