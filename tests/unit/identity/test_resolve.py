"""Flow record → Actor, with real processes as parents."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hostagent.errors import HostError
from hostagent.identity.resolve import Resolver, Unattributed
from hostagent.values.actor import Actor, Attribute, Grade, Process
from hostagent.values.flow import Endpoint, FlowKey, FlowRecord, GovernedBy, ProcessRecord

TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
ID = "0123456789abcdef" * 4
CLIENT = ProcessRecord(pid=4242, start_time=77_123_456_789, comm="psql", uid=0)


def flow(
    process: ProcessRecord = CLIENT,
    parents: tuple[ProcessRecord, ...] = (),
    leader: int = 0,
    cgroup: str = "/system.slice/agent.service",
) -> FlowRecord:
    return FlowRecord(
        key=FlowKey(Endpoint("127.0.0.1", 40000), Endpoint("10.0.0.5", 5432)),
        process=process,
        gid=0,
        login_uid=None,
        executable="/usr/lib/postgresql/17/bin/psql",
        command_line=("psql", "-c", "select 1"),
        parents=parents,
        pid_in_namespace=process.pid,
        session_leader_pid=leader,
        cgroup_id=11,
        cgroup_path=cgroup,
        socket_cgroup_id=11,
        socket_cgroup_path=cgroup,
        netns_cookie=1,
        socket_cookie=2,
        governed_by=GovernedBy.CALLER,
        connected_at=78_000_000_000,
    )


def recorded(pid: int) -> tuple[ProcessRecord, int, int]:
    """The record of a running process, its parent's pid and its session leader's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    comm = Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    record = ProcessRecord(pid, int(fields[19]) * TICK + 1, comm, Path(f"/proc/{pid}").stat().st_uid)
    return record, int(fields[1]), int(fields[3])


def chain(pid: int) -> tuple[ProcessRecord, tuple[ProcessRecord, ...], int]:
    """What the kernel records of a process: itself, its parents, its session leader."""
    process, above, leader = recorded(pid)
    parents = []
    while above:
        parent, above, _ = recorded(above)
        parents.append(parent)
    return process, tuple(parents), leader


def test_a_complete_record_gives_a_complete_actor() -> None:
    actor = Resolver().resolve(flow())
    assert actor == Actor(
        process=Process(4242, 77_123_456_789, "/usr/lib/postgresql/17/bin/psql", ("psql", "-c", "select 1"), "psql", 0),
        parents=(),
        uid=0,
        user="root",
        gid=0,
        group="root",
        login_uid=None,
        login_user="",
        cgroup="/system.slice/agent.service",
        attributes=(
            Attribute("slice", "system.slice", Grade.RUNTIME),
            Attribute("unit", "agent.service", Grade.RUNTIME),
        ),
    )


def test_the_flows_own_process_is_never_read_from_proc() -> None:
    me, _, _ = recorded(os.getpid())
    actor = Resolver().resolve(flow(process=me))
    assert actor.process.executable == "/usr/lib/postgresql/17/bin/psql"
    assert actor.process.command_line == ("psql", "-c", "select 1")


def test_ids_have_names_and_an_unknown_id_is_its_number() -> None:
    record = flow(process=replace(CLIENT, uid=3_999_999_998))
    actor = Resolver().resolve(replace(record, gid=3_999_999_997, login_uid=0))
    assert (actor.user, actor.group, actor.login_user) == ("3999999998", "3999999997", "root")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"cgroup_path": ""}, "the kernel recorded no cgroup path of pid 4242"),
        ({"cgroup_path": "docker/x"}, "not a cgroup path: 'docker/x'"),
        ({"cgroup_path": "/docker/../x"}, "not a cgroup path: '/docker/../x'"),
        ({"process": replace(CLIENT, pid=0)}, "the kernel recorded no process"),
        ({"process": replace(CLIENT, pid=-1)}, "the kernel recorded no process"),
        ({"process": replace(CLIENT, start_time=0)}, "the kernel recorded no start time of pid 4242"),
    ],
)
def test_a_record_that_lacks_what_must_be_known_is_unattributed(changed: dict[str, object], reason: str) -> None:
    assert Resolver().resolve(flow())
    with pytest.raises(Unattributed) as caught:
        Resolver().resolve(replace(flow(), **changed))  # type: ignore[arg-type]
    assert caught.value.reason == reason
    assert isinstance(caught.value, HostError)


def test_a_process_in_the_root_cgroup_is_attributed_without_a_unit() -> None:
    assert Resolver().resolve(flow(cgroup="/")).attributes == ()


def test_a_socket_of_another_cgroup_is_told() -> None:
    record = replace(flow(), socket_cgroup_id=12, socket_cgroup_path="/system.slice/other.service")
    actor = Resolver().resolve(replace(record, governed_by=GovernedBy.SOCKET))
    assert actor.attribute("socket_cgroup") == Attribute("socket_cgroup", "/system.slice/other.service", Grade.KERNEL)
    assert actor.attribute("unit") == Attribute("unit", "agent.service", Grade.RUNTIME)
    gone = Resolver().resolve(replace(record, socket_cgroup_path=""))
    assert gone.attribute("socket_cgroup") == Attribute("socket_cgroup", "unknown", Grade.KERNEL)
    assert Resolver().resolve(flow()).attribute("socket_cgroup") is None


def test_a_process_that_left_its_governed_cgroup_is_told() -> None:
    actor = Resolver().resolve(replace(flow(), governed_by=GovernedBy.STICKY))
    assert actor.attribute("left_cgroup") == Attribute("left_cgroup", "true", Grade.KERNEL)
    assert Resolver().resolve(flow()).attribute("left_cgroup") is None


def test_pid_1_of_a_container_keeps_the_hosts_pid_and_the_containers_id() -> None:
    actor = Resolver().resolve(replace(flow(cgroup=f"/system.slice/docker-{ID}.scope"), pid_in_namespace=1))
    assert actor.process.pid == 4242
    assert actor.attribute("container_id") == Attribute("container_id", ID, Grade.RUNTIME)


SHELL = "/bin/sh -c '/bin/sleep 60; :' & echo $!; wait"


def leaf_of(shell: subprocess.Popen[str]) -> int:
    """The pid of `sleep`, two shells below, once both have been started."""
    assert shell.stdout
    child = int(shell.stdout.readline())
    children = Path(f"/proc/{child}/task/{child}/children")
    while not (below := children.read_text().split()) or Path(f"/proc/{below[0]}/comm").read_text() != "sleep\n":
        pass
    return int(below[0])


def end(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a shell ends by itself when what it waits for has
            os.kill(pid, 9)


def test_real_parents_up_to_the_session_leader() -> None:
    with subprocess.Popen(["/bin/sh", "-c", SHELL], stdout=subprocess.PIPE, text=True, start_new_session=True) as shell:
        process, parents, leader = chain(leaf_of(shell))
        assert leader == shell.pid
        actor = Resolver().resolve(flow(process, parents, leader))
        sh = str(Path("/bin/sh").resolve())
        assert [(p.pid, p.executable) for p in actor.parents] == [(parents[0].pid, sh), (shell.pid, sh)]
        assert actor.parents[1].command_line == ("/bin/sh", "-c", SHELL)
        assert Actor.from_json(json.loads(json.dumps(actor.to_json()))) == actor
        end(process.pid, parents[0].pid, shell.pid)


def test_setsid_does_not_hide_who_started_a_process() -> None:
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as sleeper:
        process, parents, leader = chain(sleeper.pid)
        assert leader == sleeper.pid
        actor = Resolver().resolve(flow(process, parents, leader))
        assert (actor.parents[0].pid, actor.parents[0].executable) == (
            os.getpid(),
            str(Path(sys.executable).resolve()),
        )
        end(sleeper.pid)


def test_a_parent_that_exited_is_what_the_kernel_recorded_and_the_others_are_whole() -> None:
    with subprocess.Popen(["/bin/sh", "-c", SHELL], stdout=subprocess.PIPE, text=True, start_new_session=True) as shell:
        process, parents, leader = chain(leaf_of(shell))
        end(parents[0].pid)
        while Path(f"/proc/{parents[0].pid}").exists():
            pass  # the outer shell waits for it
        gone, *_ = Resolver().resolve(flow(process, parents, leader)).parents
        assert gone == Process(parents[0].pid, parents[0].start_time, "", (), parents[0].comm, parents[0].uid)
        end(process.pid)


def test_a_parent_whose_pid_was_reused_is_what_the_kernel_recorded() -> None:
    me, _, _ = recorded(os.getpid())
    earlier = ProcessRecord(me.pid, me.start_time - 5 * TICK, "sh", 1000)
    (parent,) = Resolver().resolve(flow(parents=(earlier,), leader=me.pid)).parents
    assert parent == Process(me.pid, earlier.start_time, "", (), "sh", 1000)
    (same,) = Resolver().resolve(flow(parents=(me,), leader=me.pid)).parents
    assert same.executable == str(Path(sys.executable).resolve())


def test_an_actor_with_claims_survives_json() -> None:
    path = f"/docker/{ID}/kubepods/pod8dbc5577-d0e2-4706-8787-57d52c03ddf2/{ID}"
    actor = Resolver().resolve(replace(flow(cgroup=path), socket_cgroup_id=12, login_uid=0))
    assert {a.grade for a in actor.attributes} == set(Grade)
    assert Actor.from_json(json.loads(json.dumps(actor.to_json()))) == actor
