"""Socket addresses to endpoints."""

from __future__ import annotations

import pytest

from hostagent.intake.destination import destination_of, endpoint
from hostagent.values.flow import Endpoint, FlowKey


class Accepted:
    def getpeername(self) -> tuple[object, ...]:
        return ("::ffff:10.0.0.9", 40000, 0, 0)

    def getsockname(self) -> tuple[object, ...]:
        return ("::ffff:10.0.0.5", 5432, 0, 0)


def test_a_mapped_connection_is_an_ipv4_flow() -> None:
    destination = Endpoint("10.0.0.5", 5432)
    assert destination_of(Accepted()) == (FlowKey(Endpoint("10.0.0.9", 40000), destination), destination)


@pytest.mark.parametrize(
    ("name", "address"),
    (
        (("10.0.0.5", 1), "10.0.0.5"),
        (("fd77::2", 1, 0, 0), "fd77::2"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::1"),
        (("FD77:0::2", 1, 0, 0), "fd77::2"),
    ),
)
def test_addresses_are_canonical(name: tuple[object, ...], address: str) -> None:
    assert endpoint(name) == Endpoint(address, 1)


def test_another_family_is_refused() -> None:
    with pytest.raises(ValueError):
        endpoint(("/run/x.sock", 1))
