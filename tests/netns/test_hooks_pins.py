"""Pins: what outlives the loader, how a set is replaced without a gap, what is noticed when a link is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hostagent.errors import HostError
from hostagent.kernel import layout
from hostagent.kernel.hooks import PINS, Hooks

OBJECTS = Path(__file__).parents[2] / "bpf" / "build"
UDP = "import socket; socket.socket(2, 2).sendto(bytes(40), ('127.0.0.53', 443))"
MANY = """
import socket, sys
print(flush=True)
passed = 0
for _ in range(int(sys.argv[1])):
    try:
        socket.socket(2, 2).sendto(bytes(40), ('127.0.0.53', 443))
        passed += 1
    except PermissionError:
        pass
print(passed)
"""


def links(instance):
    return PINS / instance / "links"


def test_everything_is_in_force_after_attach(hooks):
    assert hooks.verify() == []
    assert hooks.reattach() == []


@pytest.mark.parametrize("program", ["hostagent_connect4", "hostagent_cgroup_made", "hostagent_egress"])
def test_a_lost_link_is_noticed_and_attached_again(hooks, instance, program):
    (links(instance) / program).unlink()
    assert hooks.verify() == [program]
    assert hooks.reattach() == [program]
    assert hooks.verify() == []


def test_a_link_that_was_detached_in_place_is_noticed(hooks, instance, governed, in_cgroup):
    pin = links(instance) / "hostagent_sendmsg4"
    subprocess.run(["bpftool", "link", "detach", "pinned", pin], check=True)
    assert hooks.verify() == ["hostagent_sendmsg4"]
    hooks.reattach()
    assert hooks.verify() == []
    assert in_cgroup(governed, sys.executable, "-c", UDP).wait(10) == 1


def test_a_cgroup_that_was_made_while_the_tracker_was_gone_is_found_at_reattach(hooks, instance, governed, name_of):
    hooks.govern([name_of(governed.parent) + "/late-*"])
    (links(instance) / "hostagent_cgroup_made").unlink()
    (governed.parent / "late-1").mkdir()
    assert hooks.governed_cgroups() == {}
    hooks.reattach()
    assert list(hooks.governed_cgroups().values()) == [name_of(governed.parent) + "/late-1"]


LOADER = """
import sys
from pathlib import Path
from hostagent.kernel.hooks import Hooks
hooks = Hooks.load(sys.argv[1], Path(sys.argv[2]), proxy_port=15771)
hooks.govern([sys.argv[3]])
hooks.attach()
print(flush=True)
input()
"""


def test_pinned_hooks_outlive_a_killed_loader_and_leftovers_can_be_removed(
    instance, governed, name_of, in_cgroup, connect
):
    command = (sys.executable, "-c", LOADER, instance, str(OBJECTS), name_of(governed))
    loader = in_cgroup(governed.parent, *command, stdin=subprocess.PIPE)
    loader.stdout.readline()
    loader.kill()
    loader.wait()
    assert in_cgroup(governed, sys.executable, "-c", UDP).wait(10) == 1
    Hooks.remove_leftovers(instance)
    assert not (PINS / instance).exists()
    assert in_cgroup(governed, sys.executable, "-c", UDP).wait(10) == 0
    Hooks.remove_leftovers(instance)


def test_a_set_is_replaced_without_a_gap_and_knows_what_the_old_one_knew(
    hooks, instance, governed, name_of, connect, in_cgroup
):
    attempt = connect(governed)
    client = in_cgroup(governed, sys.executable, "-c", MANY, "60000")
    client.stdout.readline()
    replaced = 0
    while client.poll() is None:
        successor = Hooks.load(instance, OBJECTS, proxy_port=15771)
        successor.govern([name_of(governed)])
        successor.attach()
        assert successor.verify() == []
        assert successor.lookup(attempt.key) is not None
        successor.close()
        replaced += 1
    assert replaced > 0
    assert client.communicate()[0] == "0\n"


def test_links_of_a_program_that_is_no_more_are_dropped(hooks, instance):
    (links(instance) / "hostagent_connect4").rename(links(instance) / "hostagent_former")
    hooks.attach()
    assert not (links(instance) / "hostagent_former").exists()
    assert hooks.verify() == []


def test_remove_leaves_nothing(instance, governed, name_of, in_cgroup):
    hooks = Hooks.load(instance, OBJECTS, proxy_port=15771)
    hooks.govern([name_of(governed)])
    assert in_cgroup(governed, sys.executable, "-c", UDP).wait(10) == 0, "nothing is in force before attach"
    hooks.attach()
    assert in_cgroup(governed, sys.executable, "-c", UDP).wait(10) == 1
    hooks.remove()
    assert not (PINS / instance).exists()
    assert in_cgroup(governed, sys.executable, "-c", UDP).wait(10) == 0


@pytest.mark.parametrize(("name", "sizes"), [("flows", (36, 8)), ("governed", (4, 4)), ("refusals", (0, 8))])
def test_objects_of_another_layout_are_refused(instance, monkeypatch, name, sizes):
    monkeypatch.setitem(layout.EXPECTED, name, sizes)
    with pytest.raises(HostError, match=f"map {name} has key and value of .* expected {sizes[0]} and {sizes[1]}"):
        Hooks.load(instance, OBJECTS, proxy_port=15771)


def test_a_pinned_map_of_another_size_is_replaced(instance):
    pins = PINS / instance / "maps"
    pins.mkdir(parents=True)
    command = f"bpftool map create {pins / 'governed'} type hash key 4 value 4 entries 9 name governed"
    subprocess.run(command.split(), check=True)
    hooks = Hooks.load(instance, OBJECTS, proxy_port=15771)
    assert hooks.governed_cgroups() == {}
    hooks.remove()


def test_missing_and_broken_objects_are_host_errors(instance, tmp_path):
    with pytest.raises(HostError, match=r"track\.bpf\.o cannot be opened"):
        Hooks.load(instance, tmp_path, proxy_port=15771)
    (tmp_path / "track.bpf.o").write_bytes(b"not an object")
    with pytest.raises(HostError, match=r"track\.bpf\.o cannot be opened"):
        Hooks.load(instance, tmp_path, proxy_port=15771)


def test_without_privilege_the_error_says_what_is_needed(instance, in_cgroup, governed, name_of):
    command = (sys.executable, "-c", LOADER, instance, str(OBJECTS), name_of(governed))
    process = in_cgroup(governed.parent, "setpriv", "--reuid=65534", "--clear-groups", *command)
    assert "run as root" in process.communicate(timeout=20)[1]


@pytest.mark.parametrize("name", ["", "a.b", "a/b", ".."])
def test_an_instance_name_that_bpffs_refuses_is_a_value_error(name):
    with pytest.raises(ValueError, match="instance name"):
        Hooks.load(name, OBJECTS, proxy_port=15771)
