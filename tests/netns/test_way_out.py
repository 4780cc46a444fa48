"""Ways out of a process that is governed from the start: each beside the same program ungoverned, IPv4 and IPv6."""

from __future__ import annotations

import pytest

from hostagent.values.flow import Endpoint, FlowKey
from tests.netns.stage import Outcomes, Stage, governed_outcome, outcomes, stage
from tests.netns.topology import DATABASE, HOST, PORT

__all__ = ["outcomes", "stage"]

FORMS = {  # form → outcome for a governed process
    "connect": "intercepted",
    "bound": "intercepted",
    "again": "intercepted",
    "io_uring": "intercepted",
    "fastopen_sendto": "intercepted",
    "fastopen_connect": "intercepted",
    "mark_before_tolerant": "intercepted",
    "mptcp": "refused (EPERM)",
    "mark_before": "refused (EPERM)",
    "mark_after": "refused (EPERM)",
    "device": "refused (EPERM)",
    "udp": "refused (EPERM)",
    "udp_connected": "refused (EPERM)",
    "quic": "refused (EPERM)",
    "raw": "refused (EPERM)",
}
MAPPED = {"mapped": "intercepted", "udp_mapped": "refused (EPERM)"}
EVERY = [(form, family) for form in FORMS for family in (4, 6)] + [(form, 4) for form in MAPPED]


@pytest.fixture(scope="module")
def host_server(stage: Stage) -> None:
    """A server on the host itself."""
    stage.lab.serve(stage.lab.host)


@pytest.mark.parametrize(("form", "family"), EVERY)
def test_way_out(stage: Stage, outcomes: Outcomes, form: str, family: int) -> None:
    free = stage.attempt(form, stage.free, family)
    assert free == "DIRECT"
    outcome = governed_outcome(stage.attempt(form, stage.governed, family))
    outcomes.rows.append((form, f"IPv{family}", outcome, "direct"))
    assert outcome == (FORMS | MAPPED)[form]


@pytest.mark.parametrize("family", (4, 6))
def test_the_worker_sees_the_destination_and_the_flow_map_who_made_it(stage: Stage, family: int) -> None:
    client = stage.send("connect", stage.governed, family)
    said, _ = client.communicate(timeout=10)
    _, source, source_port, destination, port = said.split()
    assert (destination, int(port)) == (DATABASE[family], PORT)
    key = FlowKey(Endpoint(source, int(source_port)), Endpoint(destination, int(port)))
    record = stage.hooks.lookup(key)
    assert record is not None
    assert (record.process.pid, record.cgroup_path) == (client.pid, stage.pattern)


@pytest.mark.parametrize("address", ("127.0.0.1", "::1", HOST[4], HOST[6]))
def test_addresses_of_the_host_itself_are_intercepted_too(
    stage: Stage, host_server: None, outcomes: Outcomes, address: str
) -> None:
    family = 6 if ":" in address else 4
    assert stage.attempt("connect", stage.free, family, address=address) == "DIRECT"
    outcome = governed_outcome(stage.attempt("connect", stage.governed, family, address=address))
    outcomes.rows.append((f"connect to own {address}", f"IPv{family}", outcome, "direct"))
    assert outcome == "intercepted"
