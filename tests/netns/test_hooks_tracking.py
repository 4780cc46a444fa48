"""Who is governed: by pattern as a cgroup is made, by the socket's cgroup, and for good once a process was governed."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time

import pytest

from hostagent.kernel.cgroups import cgroup_id
from hostagent.kernel.patterns import compile as compile_pattern
from hostagent.values.flow import Endpoint, FlowKey, GovernedBy

NOWHERE = Endpoint("127.0.0.1", 9)

# Connects once for each line it gets and prints the local address; `fork` lets a child do it; `make` makes the socket.
OBEDIENT = """
import os, socket, sys
s = socket.socket()
print("ready", flush=True)
for line in sys.stdin:
    if line == "make\\n":
        s = socket.socket()
        continue
    if line == "fork\\n" and os.fork():
        os.wait()
        continue
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", 9))
    print(*s.getsockname(), flush=True)
    s = socket.socket()
    if line == "fork\\n":
        os._exit(0)
"""

# For each directory named on a line: a new cgroup, a child that enters it and connects at once.
SPAWN = """
import os, socket, sys
for line in sys.stdin:
    directory = line.strip()
    os.mkdir(directory)
    if os.fork() == 0:
        with open(directory + "/cgroup.procs", "w") as procs:
            procs.write("0")
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", 9))
        print(*s.getsockname(), flush=True)
        os._exit(0)
    os.wait()
"""


class Obedient:
    def __init__(self, process):
        self.process = process
        assert process.stdout.readline() == "ready\n"

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def connect(self, word="connect"):
        self.tell(word)
        return key_of(self.process.stdout.readline())

    def move(self, cgroup):
        (cgroup / "cgroup.procs").write_text(str(self.process.pid))


def key_of(line):
    address, port = line.split()
    return FlowKey(Endpoint(address, int(port)), NOWHERE)


@pytest.fixture
def obedient(in_cgroup):
    """`obedient(cgroup)`: a process there that does as it is told, with a socket made at its start."""
    return lambda cgroup: Obedient(in_cgroup(cgroup, sys.executable, "-c", OBEDIENT, stdin=subprocess.PIPE))


def test_a_socket_made_before_governing_is_governed_by_its_caller(hooks, governed, obedient, name_of):
    process = obedient(governed.parent)
    process.move(governed)
    record = hooks.lookup(process.connect())
    assert record.governed_by is GovernedBy.CALLER
    assert (record.cgroup_path, record.socket_cgroup_path) == (name_of(governed), name_of(governed.parent))


def test_a_process_that_leaves_stays_governed_and_its_children_too(hooks, governed, obedient, name_of):
    process = obedient(governed)
    process.move(governed.parent)
    record = hooks.lookup(process.connect())
    assert record.governed_by is GovernedBy.STICKY
    assert (record.cgroup_path, record.socket_cgroup_path) == (name_of(governed.parent), name_of(governed))
    for word in ("connect", "fork", "fork"):
        record = hooks.lookup(process.connect(word))
        assert record.governed_by is GovernedBy.STICKY
        assert record.socket_cgroup_path == name_of(governed.parent)


def test_what_ran_before_the_hooks_came_is_sticky_too(hooks, governed, obedient, make_cgroup, name_of):
    late = make_cgroup("late.slice")
    process, other = obedient(late), obedient(governed.parent)
    hooks.govern([name_of(governed), name_of(late)])
    for one in (process, other):
        one.move(governed.parent)
        one.tell("make")
    assert hooks.lookup(process.connect()).governed_by is GovernedBy.STICKY
    assert hooks.lookup(other.connect()) is None


def test_sticky_ends_with_the_process(hooks, governed, obedient):
    process = obedient(governed)
    sticky = hooks._maps["sticky"]
    key = process.process.pid.to_bytes(4, "little")
    assert sticky.lookup(key) is not None
    process.process.stdin.close()
    process.process.wait(10)
    assert sticky.lookup(key) is None


def test_a_descriptor_passed_to_a_governed_process_is_governed_by_its_caller(hooks, governed, in_cgroup, name_of):
    ours, theirs = socket.socketpair()
    code = (
        f"import socket; c = socket.socket(fileno={theirs.fileno()}); s = socket.recv_fds(c, 1, 1)[1][0]\n"
        "s = socket.socket(fileno=s); s.setblocking(False); s.connect_ex(('127.0.0.1', 9)); print(*s.getsockname())"
    )
    with ours, theirs, socket.socket() as passed:
        process = in_cgroup(governed, sys.executable, "-c", code, pass_fds=[theirs.fileno()])
        socket.send_fds(ours, [b"x"], [passed.fileno()])
        record = hooks.lookup(key_of(process.communicate(timeout=10)[0]))
    assert record.governed_by is GovernedBy.CALLER
    assert record.process.pid == process.pid
    assert record.socket_cgroup_path != name_of(governed)


def test_a_descriptor_from_a_governed_process_is_governed_by_its_socket(hooks, governed, in_cgroup, name_of):
    ours, theirs = socket.socketpair()
    code = (
        f"import socket; c = socket.socket(fileno={theirs.fileno()}); s = socket.socket()\n"
        "socket.send_fds(c, [b'x'], [s.fileno()]); c.recv(1)"
    )
    with ours, theirs:
        in_cgroup(governed, sys.executable, "-c", code, pass_fds=[theirs.fileno()])
        received = socket.recv_fds(ours, 1, 1)[1][0]
        with socket.socket(fileno=received) as mine, socket.socket() as own:
            for one in (mine, own):
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", 9))
            mine_key, own_key = (FlowKey(Endpoint(*one.getsockname()), NOWHERE) for one in (mine, own))
    record = hooks.lookup(mine_key)
    assert record.governed_by is GovernedBy.SOCKET
    assert record.process.pid == os.getpid()
    assert record.socket_cgroup_path == name_of(governed)
    assert hooks.lookup(own_key) is None


def test_a_cgroup_is_governed_before_mkdir_returns(hooks, governed, in_cgroup, name_of):
    top = governed.parent
    hooks.govern([name_of(governed), name_of(top) + "/job-*.scope"])
    rounds = 300
    names = [top / f"job-{i}.scope" for i in range(rounds)] + [top / f"other-{i}.scope" for i in range(20)]
    process = in_cgroup(top, sys.executable, "-c", SPAWN, stdin=subprocess.PIPE)
    output, errors = process.communicate("".join(f"{name}\n" for name in names), timeout=60)
    records = [hooks.lookup(key_of(line)) for line in output.splitlines()]
    assert len(records) == len(names), errors
    assert [r and r.governed_by for r in records[:rounds]] == [GovernedBy.CALLER] * rounds
    assert [r.cgroup_path for r in records[:rounds]] == [name_of(name) for name in names[:rounds]]
    assert records[rounds:] == [None] * 20


def test_the_nearest_entry_decides_and_an_exempt_cgroup_does_not_inherit(
    hooks, governed, connect, make_cgroup, name_of
):
    hooks.exempt([name_of(governed) + "/proxy.service", name_of(governed) + "/both-*"])
    hooks.govern([name_of(governed), name_of(governed) + "/proxy.service/again", name_of(governed) + "/both-1"])
    found = {}
    for name in ("job", "proxy.service", "proxy.service/below", "proxy.service/again", "both-1"):
        (governed / name).mkdir(parents=True)
        found[name] = hooks.lookup(connect(governed / name).key) is not None
    assert found == {
        "job": True,
        "proxy.service": False,
        "proxy.service/below": False,
        "proxy.service/again": True,
        "both-1": False,
    }


def test_a_governed_process_cannot_hide_in_an_exempt_cgroup(hooks, governed, obedient):
    exempt = governed / "proxy.service"
    hooks.exempt(["/" + "/".join(exempt.parts[-3:])])
    exempt.mkdir()
    inside, born = obedient(governed), obedient(exempt)
    inside.move(exempt)
    inside.tell("make")
    born.tell("make")
    assert hooks.lookup(inside.connect()).governed_by is GovernedBy.STICKY
    assert hooks.lookup(born.connect()) is None


def test_governed_cgroups_follow_mkdir_and_rmdir(hooks, governed, name_of):
    hooks.govern([name_of(governed), name_of(governed.parent) + "/*.scope"])
    made = governed.parent / "x.scope"
    made.mkdir()
    number = cgroup_id(made)
    assert hooks.governed_cgroups() == {cgroup_id(governed): name_of(governed), number: name_of(made)}
    made.rmdir()
    assert hooks.governed_cgroups() == {cgroup_id(governed): name_of(governed)}
    deadline = time.monotonic() + 5
    while hooks._maps["governed"].lookup(number.to_bytes(8, "little")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert hooks._maps["governed"].lookup(number.to_bytes(8, "little")) is None


def test_depth_is_no_way_out(hooks, governed, connect):
    deep = governed
    for _ in range(70):
        deep = deep / "d"
    deep.mkdir(parents=True)
    attempt = connect(deep)
    assert attempt.code == errno.EINPROGRESS
    record = hooks.lookup(attempt.key)
    assert record.governed_by is GovernedBy.CALLER
    assert record.cgroup_path.startswith("…/")


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "anything", True),
        ("*", "a/b", False),
        ("a*c", "abbc", True),
        ("a*c", "abbd", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("a*", "a", True),
        ("a*/b", "a/x/b", False),
        ("a*/b", "axx/b", True),
        ("*a*a*a*b", "a" * 60, False),
        ("*a*a*a*b", "a" * 60 + "b", True),
        ("docker-*.scope", "docker-" + "0" * 64 + ".scope", True),
        ("docker-*.scope", "docker-.scope", True),
        ("docker-*.scope", "docker.scope", False),
        ("x", "xy", False),
        ("xy", "x", False),
    ],
)
def test_the_kernel_matches_as_user_space_does(hooks, governed, name_of, pattern, name, matches):
    text = f"{name_of(governed.parent)}/t/{pattern}"
    hooks.govern([text])
    made = governed.parent / "t" / name
    made.mkdir(parents=True)
    in_kernel = hooks._maps["governed"].lookup(cgroup_id(made).to_bytes(8, "little")) is not None
    assert in_kernel is compile_pattern(text).matches(name_of(made)) is matches
