"""Ways out over time: sockets from before or from others, processes that come and go, connections already open."""

from __future__ import annotations

import array
import socket
from pathlib import Path

import pytest

from hostagent.kernel.sweep import sweep
from tests.netns.stage import Outcomes, Stage, governed_outcome, move, outcomes, stage
from tests.netns.topology import PORT

__all__ = ["outcomes", "stage"]

FAMILIES = pytest.mark.parametrize("family", (4, 6))


@FAMILIES
def test_socket_made_before_governing_began(stage: Stage, outcomes: Outcomes, family: int) -> None:
    stage.let_go()
    try:
        assert stage.attempt("prepared_socket", stage.governed, family, meanwhile=lambda pid: None) == "DIRECT"
        said = stage.attempt("prepared_socket", stage.governed, family, meanwhile=lambda pid: stage.take())
    finally:
        stage.take()
    outcome = governed_outcome(said)
    outcomes.rows.append(("socket made before governing", f"IPv{family}", outcome, "direct"))
    assert outcome == "intercepted"


@FAMILIES
def test_process_moved_in(stage: Stage, outcomes: Outcomes, family: int) -> None:
    assert stage.attempt("prepared_socket", stage.free, family, meanwhile=lambda pid: None) == "DIRECT"
    said = stage.attempt("prepared_socket", stage.free, family, meanwhile=lambda pid: move(pid, stage.governed))
    outcome = governed_outcome(said)
    outcomes.rows.append(("process moved in, its socket from before", f"IPv{family}", outcome, "direct"))
    assert outcome == "intercepted"


@FAMILIES
def test_process_moved_out(stage: Stage, outcomes: Outcomes, family: int) -> None:
    for form, name in (
        ("prepared_socket", "its socket from inside"),
        ("moved_then_connect", "its socket made outside"),
    ):
        assert stage.attempt(form, stage.free, family, meanwhile=lambda pid: None) == "DIRECT"
        said = stage.attempt(form, stage.governed, family, meanwhile=lambda pid: move(pid, stage.free))
        outcome = governed_outcome(said)
        outcomes.rows.append((f"process moved out, {name}", f"IPv{family}", outcome, "direct"))
        assert outcome == "intercepted"


@FAMILIES
def test_child_cgroup(stage: Stage, outcomes: Outcomes, family: int) -> None:
    assert stage.attempt("child_cgroup", stage.free, family, meanwhile=lambda pid: str(stage.free)) == "DIRECT"
    child = str(stage.governed / "child")
    outcome = governed_outcome(stage.attempt("child_cgroup", stage.governed, family, meanwhile=lambda pid: child))
    outcomes.rows.append(("child cgroup", f"IPv{family}", outcome, "direct"))
    assert outcome == "intercepted"


@FAMILIES
def test_socket_handed_to_a_governed_process(stage: Stage, outcomes: Outcomes, tmp_path: Path, family: int) -> None:
    assert handed(stage, tmp_path / "free", stage.free, family) == "DIRECT"
    outcome = governed_outcome(handed(stage, tmp_path / "governed", stage.governed, family))
    outcomes.rows.append(("fd passed by SCM_RIGHTS", f"IPv{family}", outcome, "direct"))
    assert outcome == "intercepted"


def handed(stage: Stage, path: Path, cgroup: Path, family: int, form: str = "passed_socket", *kind: int) -> str:
    """What a client in `cgroup` reaches with a socket of that kind that we, ungoverned, made and handed over."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.bind(str(path))
        channel.listen()
        client = stage.send(form, cgroup, family)
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == "waiting\n"
        client.stdin.write(f"{path}\n")
        client.stdin.flush()
        given_family = socket.AF_INET if family == 4 else socket.AF_INET6
        with channel.accept()[0] as peer, socket.socket(given_family, *kind) as given:
            peer.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [given.fileno()]))])
            return client.communicate(timeout=10)[0].strip()


@FAMILIES
@pytest.mark.parametrize("protocol", (socket.IPPROTO_UDP, socket.IPPROTO_TCP))
def test_raw_socket_handed_to_a_governed_process(
    stage: Stage, outcomes: Outcomes, tmp_path: Path, protocol: int, family: int
) -> None:
    form = "raw_passed" if protocol == socket.IPPROTO_UDP else "raw_tcp_passed"
    free = handed(stage, tmp_path / "free", stage.free, family, form, socket.SOCK_RAW, protocol)
    said = handed(stage, tmp_path / "governed", stage.governed, family, form, socket.SOCK_RAW, protocol)
    outcome = governed_outcome(said)
    outcomes.rows.append((f"{form} by SCM_RIGHTS", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "refused (EPERM)")


@FAMILIES
def test_raw_socket_made_before_governing_began(stage: Stage, outcomes: Outcomes, family: int) -> None:
    stage.let_go()
    try:
        assert stage.attempt("raw_prepared", stage.governed, family, meanwhile=lambda pid: None) == "DIRECT"
        said = stage.attempt("raw_prepared", stage.governed, family, meanwhile=lambda pid: stage.take())
    finally:
        stage.take()
    outcome = governed_outcome(said)
    outcomes.rows.append(("raw socket made before governing", f"IPv{family}", outcome, "direct"))
    assert outcome == "refused (EPERM)"


@FAMILIES
def test_connection_already_open(stage: Stage, outcomes: Outcomes, family: int) -> None:
    def begin(pid: int) -> None:
        stage.take()
        assert sweep(stage.hooks) == 1

    def sweep_others(pid: int) -> None:
        assert sweep(stage.hooks) == 0

    sweep(stage.hooks)  # what tests before this one left closing
    assert stage.attempt("held", stage.free, family, meanwhile=sweep_others) == "DIRECT"
    stage.let_go()
    try:
        said = stage.attempt("held", stage.governed, family, meanwhile=begin)
    finally:
        stage.take()
    outcome = governed_outcome(said)
    outcomes.rows.append(("connection already open", f"IPv{family}", outcome, "direct"))
    assert outcome == "refused (ECONNABORTED)"


@FAMILIES
def test_connection_already_open_that_no_sweep_found(stage: Stage, outcomes: Outcomes, family: int) -> None:
    stage.let_go()
    try:
        said = stage.attempt("held", stage.governed, family, meanwhile=lambda pid: stage.take())
    finally:
        stage.take()
    outcome = governed_outcome(said)
    outcomes.rows.append(("connection already open, not swept", f"IPv{family}", outcome, "direct"))
    assert outcome == "refused (no answer)"


@FAMILIES
def test_connected_datagram_socket_from_before(stage: Stage, outcomes: Outcomes, family: int) -> None:
    stage.let_go()
    try:
        assert stage.attempt("udp_prepared", stage.governed, family, meanwhile=lambda pid: None) == "DIRECT"
        said = stage.attempt("udp_prepared", stage.governed, family, meanwhile=lambda pid: stage.take())
    finally:
        stage.take()
    outcome = governed_outcome(said)
    outcomes.rows.append(("UDP socket connected before governing", f"IPv{family}", outcome, "direct"))
    assert outcome.startswith("refused")


@FAMILIES
def test_open_connection_of_a_container(stage: Stage, outcomes: Outcomes, family: int) -> None:
    sweep(stage.hooks)  # what tests before this one left closing
    stage.let_go()
    stage.redirect.remove()

    def begin(pid: int) -> None:
        stage.take()
        assert sweep(stage.hooks) == 1

    try:
        said = stage.attempt("held", stage.governed, family, meanwhile=begin, netns=stage.lab.box)
    finally:
        stage.take()
        stage.redirect.apply()
    outcome = governed_outcome(said)
    outcomes.rows.append((f"connection of a container already open, port {PORT}", f"IPv{family}", outcome, "direct"))
    assert outcome == "refused (ECONNABORTED)"
