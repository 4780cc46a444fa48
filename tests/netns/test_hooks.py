"""The connect hook's record: who made a flow, as the kernel wrote it down before the first packet."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from hostagent.kernel.cgroups import cgroup_id
from hostagent.kernel.hooks import own_netns_cookie
from hostagent.values.flow import Endpoint, FlowKey, GovernedBy


def test_a_governed_connect_is_found_by_its_4_tuple_after_the_process_is_gone(
    hooks, governed, connect, client, name_of
):
    attempt = connect(governed)
    record = hooks.lookup(attempt.key)
    assert attempt.code == errno.EINPROGRESS
    assert record.key == attempt.key
    assert (record.process.pid, record.process.uid, record.gid) == (attempt.pid, 0, 0)
    assert record.executable == str(Path(sys.executable).resolve())
    assert record.command_line == client()
    assert record.cgroup_path == record.socket_cgroup_path == name_of(governed)
    assert record.cgroup_id == record.socket_cgroup_id == cgroup_id(governed)
    assert record.netns_cookie == own_netns_cookie()
    assert record.governed_by is GovernedBy.CALLER
    assert record.pid_in_namespace == attempt.pid
    assert record.login_uid is None or record.login_uid == int(Path("/proc/self/loginuid").read_text())


def test_parents_run_upwards_with_the_session_leader_named(hooks, governed, connect):
    record = hooks.lookup(connect(governed).key)
    chain = []
    pid = os.getpid()
    while pid and len(chain) < 8:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        chain.append((pid, Path(f"/proc/{pid}/comm").read_text().strip(), Path(f"/proc/{pid}").stat().st_uid))
        pid = int(fields[1])
    assert [(p.pid, p.comm, p.uid) for p in record.parents] == chain
    assert record.session_leader_pid == os.getsid(0)


def test_the_start_time_is_the_one_of_proc(hooks, governed, in_cgroup, connect):
    record = hooks.lookup(connect(governed).key)
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    assert record.parents[0].start_time // (10**9 // os.sysconf("SC_CLK_TCK")) == ticks
    assert record.parents[0].start_time < record.process.start_time <= record.connected_at


def test_an_ungoverned_connect_is_left_alone(hooks, make_cgroup, connect):
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = connect(make_cgroup(), port=server.getsockname()[1], wait=5)
    assert attempt.code == 0
    assert hooks.lookup(attempt.key) is None
    assert hooks.counters()["flow_recorded"] == 0


def test_forgotten_flows_are_unknown(hooks, governed, connect):
    key = connect(governed).key
    assert hooks.lookup(key) is not None
    hooks.forget(key)
    assert hooks.lookup(key) is None


@pytest.mark.parametrize("address", ["::1", "::ffff:127.0.0.1"])
def test_ipv6_and_ipv4_mapped_flows_are_found_by_their_canonical_key(hooks, governed, connect, name_of, address):
    assert hooks.lookup(connect(governed, address).key).cgroup_path == name_of(governed)


def test_pid_1_of_a_pid_namespace_has_both_its_pids(hooks, governed, connect):
    attempt = connect(governed, prefix=("unshare", "--pid", "--fork", "--mount-proc"))
    record = hooks.lookup(attempt.key)
    assert (attempt.pid, record.pid_in_namespace) == (1, 1)
    assert record.process.pid > 1
    assert record.parents[0].comm == "unshare"


def test_another_user_and_a_child_cgroup(hooks, governed, connect, name_of, make_cgroup):
    child = governed / "deep" / "er"
    child.mkdir(parents=True)
    record = hooks.lookup(connect(child, prefix=("setpriv", "--reuid=65534", "--regid=65533", "--clear-groups")).key)
    assert (record.process.uid, record.gid) == (65534, 65533)
    assert record.cgroup_path == name_of(child)


def test_an_executable_that_was_deleted_says_so(hooks, governed, in_cgroup, island, island_cookie, tmp_path):
    hooks.cover_netns(island_cookie)
    shell = tmp_path / "shell"
    shutil.copy("/bin/bash", shell)
    serve = in_cgroup(
        governed.parent,
        *island,
        sys.executable,
        "-c",
        "import socket; s = socket.create_server(('127.0.0.1', 4000)); print(flush=True); print(*s.accept()[1])",
    )
    serve.stdout.readline()
    command = f"rm {shell}; exec 3<>/dev/tcp/127.0.0.1/4000"
    assert in_cgroup(governed, *island, str(shell), "-c", command).wait(10) == 0
    address, port = serve.communicate(timeout=10)[0].split()
    record = hooks.lookup(FlowKey(Endpoint(address, int(port)), Endpoint("127.0.0.1", 4000)))
    assert record.executable == f"{shell} (deleted)"
    assert record.command_line == (str(shell), "-c", command)
    assert record.netns_cookie == island_cookie


def test_one_4_tuple_in_two_namespaces_is_ambiguous_until_forgotten(
    hooks, governed, in_cgroup, island, island_cookie, name_of
):
    hooks.cover_netns(island_cookie)
    code = (
        "import socket; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', 41999)); s.setblocking(False);"
        "s.connect_ex(('127.0.0.1', 9))"
    )
    key = FlowKey(Endpoint("127.0.0.1", 41999), Endpoint("127.0.0.1", 9))
    assert in_cgroup(governed, sys.executable, "-c", code).wait(10) == 0
    assert hooks.lookup(key).netns_cookie == own_netns_cookie()
    assert in_cgroup(governed, *island, sys.executable, "-c", code).wait(10) == 0
    assert hooks.lookup(key) is None
    assert hooks.counters()["publish_ambiguous"] == 1
    hooks.forget(key)
    assert in_cgroup(governed, *island, sys.executable, "-c", code).wait(10) == 0
    assert hooks.lookup(key).netns_cookie == island_cookie
