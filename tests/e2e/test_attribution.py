"""Every flow names who made it: 2,000 clients at once, and those that are easily taken for somebody else."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostagent.kernel.cgroups import find_cgroup2_root, path_in_tree
from tests.e2e.failure_lab import Stage, removed, scratch, staged, until
from tests.e2e.world import NAME
from tests.netns.topology import DATABASE

CGROUPS = 20
CLIENTS = 100  # of each cgroup
TOOLS = 5  # different executables

# ADDRESS PORT FORM REPORT-FD: one short life. It says who it is before it ends: pid, source port, executable, cgroup.
SOURCE = r"""
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char startup[] = "\0\0\0\x29\0\3\0\0user\0trusting\0database\0postgres\0\0";
static const char query[] = "Q\0\0\0\x0dselect 1";

static void await(int sock, char kind) {
    char head[5], body[65536];
    for (;;) {
        if (recv(sock, head, 5, MSG_WAITALL) != 5) _exit(3);
        unsigned size = ntohl(*(unsigned *)(head + 1)) - 4;
        if (size && (size > sizeof body || recv(sock, body, size, MSG_WAITALL) != (ssize_t)size)) _exit(4);
        if (head[0] == 'E') _exit(5);
        if (head[0] == kind) return;
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))}, here;
    socklen_t length = sizeof here;
    char form = argv[3][0], exe[512] = "", cgroup[4096] = "", line[6000];
    inet_pton(AF_INET, argv[1], &there.sin_addr);
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(sock, (struct sockaddr *)&there, sizeof there)) { perror("connect"); return 1; }
    getsockname(sock, (struct sockaddr *)&here, &length);
    if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0) return 2;
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (fgets(cgroup, sizeof cgroup, file) && strncmp(cgroup, "0::", 3)) {}
    int n = snprintf(line, sizeof line, "%c %d %d %s %s", form, getpid(), ntohs(here.sin_port), exe, cgroup + 3);
    if (write(atoi(argv[4]), line, n) != n) return 2;
    if (form == 'q') { /* a whole session */
        send(sock, startup, 41, 0);
        await(sock, 'Z');
        send(sock, query, 14, 0);
        await(sock, 'D');
        await(sock, 'Z');
        send(sock, "X\0\0\0\4", 5, 0);
    } else if (form == 's') { /* says what it wants and leaves */
        send(sock, startup, 41, 0);
    } else if (form == 'r') { /* leaves with a reset */
        struct linger now = {1, 0};
        setsockopt(sock, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } /* 'n': leaves without a word */
    return 0;
}
"""

HEX = hashlib.sha256(NAME.encode()).hexdigest()
POD = "0e6d1f3a-5b2c-4d8e-9f70-8a1b2c3d4e5f"
_POD_SLICE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD.replace('-', '_')}.slice"
RUNTIME, CLAIMED = "runtime-attested", "claimed"
# pattern that governs → cgroup → some of the attributes that its name gives: those of a host, made by us at the root
NAMED: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    f"/system.slice/actions.runner.*.{NAME}.service": (
        f"/system.slice/actions.runner.acme-shop.{NAME}.service/job-17",
        {
            "unit": (f"actions.runner.acme-shop.{NAME}.service", RUNTIME),
            "slice": ("system.slice", RUNTIME),
            "ci_provider": ("github", RUNTIME),
            "ci_scope": ("acme-shop", RUNTIME),
            "ci_job": ("17", CLAIMED),
        },
    ),
    f"/system.slice/docker-{HEX}.scope": (
        f"/system.slice/docker-{HEX}.scope/docker/{HEX}",
        {"container_id": (HEX, RUNTIME), "container_runtime": ("docker", RUNTIME)},
    ),
    f"/docker/{HEX}": (f"/docker/{HEX}", {"container_id": (HEX, RUNTIME), "container_runtime": ("docker", RUNTIME)}),
    _POD_SLICE: (
        f"{_POD_SLICE}/cri-containerd-{HEX}.scope",
        {"pod_uid": (POD, RUNTIME), "container_id": (HEX, RUNTIME), "container_runtime": ("containerd", RUNTIME)},
    ),
    "/user.slice/user-61234.slice": (
        "/user.slice/user-61234.slice/user@61234.service/app.slice/tool.service",
        {"owner_uid": ("61234", RUNTIME), "user_unit": ("tool.service", CLAIMED)},
    ),
}

# Makes a socket in one cgroup, connects it in another: MAKER CONNECTOR ADDRESS PORT WHEN
PASSING = r"""
import os, socket, sys
maker, connector, address, port, when = sys.argv[1:]
def enter(cgroup):
    with open(cgroup + "/cgroup.procs", "w") as procs:
        procs.write("0")
def connect(sock):
    sock.connect((address, int(port)))
    print(os.getpid(), sock.getsockname()[1], flush=True)
ours, theirs = socket.socketpair()
if os.fork() == 0:
    enter(maker)
    sock = socket.socket()
    if when == "connected":
        connect(sock)
    socket.send_fds(theirs, [b"x"], [sock.fileno()])
    os._exit(0)
enter(connector)
_, fds, _, _ = socket.recv_fds(ours, 1, 1)
os.wait()
sock = socket.socket(fileno=fds[0])
if when != "connected":
    connect(sock)
"""

Who = tuple[int, int, str, str]  # pid, source port, executable, cgroup


@pytest.fixture(scope="module")
def stage(tools: list[Path]) -> Iterator[Stage]:
    with staged(*NAMED, container_interfaces=["box0"]) as made:
        yield made


@pytest.fixture(scope="module")
def tools() -> Iterator[list[Path]]:
    """The same program under several names: an executable is its path, not its content."""
    with scratch() as directory:
        (directory / "tool.c").write_text(SOURCE)
        first = directory / "tool0"
        subprocess.run(["cc", "-O1", "-o", first, directory / "tool.c"], check=True)
        made = [first]
        for number in range(1, TOOLS):
            made.append(directory / f"tool{number}")
            made[-1].write_bytes(first.read_bytes())
            made[-1].chmod(0o755)
        yield made


def lives(stage: Stage, cgroup: Path, report: Path, script: str) -> subprocess.Popen[str]:
    """A shell in that cgroup that starts clients; their reports are appended to a file at descriptor 9."""
    return stage.spawn(cgroup, "sh", "-c", f"exec 9>>{report}\n{script}\nwait")


def reported(report: Path, forms: str) -> Counter[Who]:
    """Who the clients of these forms said they were."""
    words = [line.split() for line in report.read_text().splitlines()]
    return Counter((int(pid), int(port), exe, cgroup) for form, pid, port, exe, cgroup in words if form in forms)


def named(event: dict[str, Any]) -> Who:
    """Who an event says made the flow."""
    process = event["actor"]["process"]
    return process["pid"], event["src_endpoint"]["port"], process["file"]["path"], event["unmapped"]["cgroup"]


def test_two_thousand_short_lives_from_twenty_cgroups_are_all_named(stage: Stage, tools: list[Path]) -> None:
    before, seen = stage.status()["flows"], len(stage.events())
    report = tools[0].parent / "report"
    forms = "qsnnssnnsn"  # one of ten asks a question and waits for the answer
    running = []
    for number in range(CGROUPS):
        cgroup = stage.governed.parent / f"job{number}.service"
        cgroup.mkdir()
        starts = [f"{tools[n % TOOLS]} {DATABASE[4]} 5432 {forms[n // TOOLS % len(forms)]} 9" for n in range(CLIENTS)]
        batches = ["".join(f"{s} &\n" for s in starts[n : n + 4]) + "wait" for n in range(0, CLIENTS, 4)]
        running.append(lives(stage, cgroup, report, "\n".join(batches)))
    for process in running:
        assert process.communicate(timeout=90)[1] == ""

    clients = reported(report, forms)
    assert clients.total() == CGROUPS * CLIENTS
    until(lambda: stage.status()["flows"]["accepted"] - before["accepted"] >= clients.total(), 30)
    flows = [e for e in stage.events()[seen:] if e["metadata"]["event_code"] in ("flow_opened", "flow_refused")]
    assert [e for e in flows if "process" not in e["actor"]] == []
    assert Counter(map(named, flows)) == clients
    assert len({who[2] for who in map(named, flows)}) == TOOLS
    assert len({who[3] for who in map(named, flows)}) == CGROUPS
    assert stage.status()["flows"]["unattributed"] == before["unattributed"]
    asked = [e for e in stage.events("decided")[-CGROUPS * CLIENTS :] if e["query_info"]["query_string"] == "select 1"]
    assert Counter(map(named, asked)) == reported(report, "q")


def test_clients_that_were_gone_before_accept(stage: Stage, tools: list[Path]) -> None:
    """The worker is stopped while they live and die; those that reset their connection have none to be named for."""
    report = tools[0].parent / "gone"
    worker, seen = stage.child("workers"), len(stage.events())
    os.kill(worker, signal.SIGSTOP)
    try:
        clients = "\n".join(f"{tools[n % TOOLS]} {DATABASE[4]} 5432 {'snr'[n % 3]} 9" for n in range(60))
        assert lives(stage, stage.governed, report, clients).communicate(timeout=20)[1] == ""
    finally:
        os.kill(worker, signal.SIGCONT)
    kept = reported(report, "sn")
    assert kept.total() == 40

    def flows() -> Counter[Who]:
        opened = [e for e in stage.events()[seen:] if e["metadata"]["event_code"] == "flow_opened"]
        return Counter(map(named, opened))

    until(lambda: flows() >= kept)
    assert flows() <= kept + reported(report, "r")
    assert stage.way(stage.governed) == "way t"
    assert stage.child("workers") == worker, "a client that leaves early ends no worker"


def opened(stage: Stage, port: int, pid: int | None = None) -> dict[str, Any]:
    """The opening of the flow with that source port; waits for it."""

    def look() -> dict[str, Any] | None:
        found = [e for e in reversed(stage.events("flow_opened")) if e["src_endpoint"]["port"] == port]
        return next((e for e in found if pid in (None, e["actor"]["process"]["pid"])), None)

    event: dict[str, Any] = until(look)
    return event


def life(stage: Stage, cgroup: Path, tool: Path, *prefix: object, **options: Any) -> Who:
    """One client that leaves without a word; who it says it was."""
    process = stage.spawn(cgroup, *prefix, tool, DATABASE[4], 5432, "n", 1, **options)
    said, errors = process.communicate(timeout=20)
    assert errors == ""
    _, pid, port, executable, path = said.split()
    return int(pid), int(port), executable, path


def chain(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The process of an event and those above it."""
    found, process = [], event["actor"]["process"]
    while process is not None:
        found.append(process)
        process = process.get("parent_process")
    return found


def test_a_reused_pid_is_two_processes(stage: Stage, tools: list[Path]) -> None:
    worker = stage.child("workers")
    os.kill(worker, signal.SIGSTOP)  # both are gone before either is accepted
    try:
        first = life(stage, stage.governed, tools[0])
        for _ in range(200):
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(first[0] - 1))
            second = life(stage, stage.governed, tools[1])
            if second[0] == first[0]:
                break
    finally:
        os.kill(worker, signal.SIGCONT)
    assert second[0] == first[0], "the pid was not given out again"
    events = [opened(stage, who[1], who[0]) for who in (first, second)]
    assert [named(e) for e in events] == [first, second]
    assert events[0]["actor"]["process"]["created_time"] < events[1]["actor"]["process"]["created_time"]


@pytest.mark.parametrize("when", ["unconnected", "connected"])
@pytest.mark.parametrize("maker", ["governed", "free"])
def test_a_socket_passed_to_another_process(stage: Stage, maker: str, when: str) -> None:
    """Who calls connect() is named; that the socket is from elsewhere is told."""
    cgroups = {"governed": stage.governed, "free": stage.free}
    makes, other = cgroups.pop(maker), next(iter(cgroups.values()))
    said = stage.said(stage.free, sys.executable, "-I", "-c", PASSING, makes, other, DATABASE[4], 5432, when)
    pid, port = map(int, said.split())
    root = find_cgroup2_root()
    if when == "connected" and maker == "free":  # the twin: nothing about this one is governed
        assert [e for e in stage.events("flow_opened") if e["src_endpoint"]["port"] == port] == []
        return
    event = opened(stage, port, pid)
    connects = makes if when == "connected" else other
    assert event["unmapped"]["cgroup"] == path_in_tree(connects, root)
    elsewhere = event["unmapped"]["attributes"].get("socket_cgroup")
    assert elsewhere == (
        None if connects is makes else {"value": path_in_tree(makes, root), "grade": "kernel-attested"}
    )


def test_pid_1_of_a_container(stage: Stage, tools: list[Path]) -> None:
    """The daemon covers a container's network once it has seen a process in it; until then a connect is refused."""
    command = ("unshare", "--pid", "--fork", "--mount-proc", tools[0], DATABASE[4], 5432, "q", 1)
    stage.spawn(stage.governed, "sleep", "60", netns=stage.lab.box)

    def come_through() -> subprocess.Popen[str] | None:
        started = stage.spawn(stage.governed, *command, netns=stage.lab.box, start_new_session=True)
        return started if started.wait(20) == 0 else None

    process = until(come_through)
    said, _ = process.communicate()
    _, own_pid, port, *_ = said.split()
    assert own_pid == "1"
    event = opened(stage, int(port))
    first, above = chain(event)
    assert event["src_endpoint"]["ip"] == "10.78.0.2"
    assert first["pid"] > 1
    assert first["file"]["path"] == str(tools[0])
    assert (above["pid"], above["file"]["name"]) == (process.pid, "unshare")
    assert event["unmapped"]["cgroup"] == path_in_tree(stage.governed, find_cgroup2_root())


def test_parents_up_to_the_session_leader(stage: Stage, tools: list[Path]) -> None:
    command = f"{tools[2]} {DATABASE[4]} 5432 q 1; exit 0"
    process = stage.spawn(stage.governed, "bash", "-c", f"sh -c '{command}'; exit 0", start_new_session=True)
    said, _ = process.communicate(timeout=20)
    found = chain(opened(stage, int(said.split()[2])))
    assert [p["file"]["name"] for p in found] == ["tool2", Path("/bin/sh").resolve().name, "bash"]
    assert found[-1]["pid"] == process.pid
    assert command in found[1]["cmd_line"]


def test_user_group_and_login_user(stage: Stage, tools: list[Path]) -> None:
    who = life(stage, stage.governed, tools[0], "setpriv", "--reuid=postgres", "--regid=games", "--clear-groups")
    event = opened(stage, who[1], who[0])
    user = event["actor"]["user"]
    assert (user["name"], user["groups"][0]["name"]) == ("postgres", "games")
    assert event["unmapped"]["login_uid"] is None
    login = ("sh", "-c", 'echo 65534 > /proc/self/loginuid && exec "$@"', "sh")
    pid, port, *_ = life(stage, stage.governed, tools[0], *login)
    event = opened(stage, port, pid)
    assert (event["unmapped"]["login_uid"], event["unmapped"]["login_user"]) == (65534, "nobody")
    assert event["actor"]["user"]["name"] == "root"


@pytest.fixture
def named_cgroups(stage: Stage) -> Iterator[None]:
    """The cgroups of NAMED; what was there before stays."""
    made: list[Path] = []
    root = find_cgroup2_root()
    for path, _ in NAMED.values():
        for directory in reversed([root / path[1:], *(root / path[1:]).parents]):
            if not directory.exists():
                directory.mkdir()
                made.append(directory)
    yield
    for directory in reversed(made):
        until(lambda directory=directory: removed(directory))


def test_names_of_cgroups_say_what_runs_in_them(stage: Stage, tools: list[Path], named_cgroups: None) -> None:
    for path, wanted in NAMED.values():
        pid, port, *_ = life(stage, find_cgroup2_root() / path[1:], tools[0])
        event = opened(stage, port, pid)
        assert event["unmapped"]["cgroup"] == path
        attributes = event["unmapped"]["attributes"]
        found = {name: (attributes[name]["value"], attributes[name]["grade"]) for name in wanted if name in attributes}
        assert found == wanted
