"""Bad input: one clear error, the right exit code, and nothing left set up on the host."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hostagent.kernel.cgroups import find_cgroup2_root
from hostagent.kernel.hooks import PINS, Hooks
from tests.e2e.failure_lab import remove_tree, scratch
from tests.lab.agent import ANALYZER_USER, AS_NOBODY, BIN, WORKER_USER
from tests.netns.topology import inside, ip

INSTANCE = "hatbad"
PORT = 15991
POLICY = """\
version: 1
targets:
  - name: orders
    protocol: postgres
    match: {addresses: 10.77.0.2, ports: 5432}
rules:
  - {name: read, actors: "*", targets: orders, allow: {kinds: read}}
"""


@dataclass
class Place:
    """The files of a daemon that is going to be started in a network namespace of its own."""

    directory: Path
    netns: str

    @property
    def config(self) -> Path:
        return self.directory / "hostagent.yaml"

    @property
    def policy(self) -> Path:
        return self.directory / "policies.d" / "policy.yaml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def configure(self, **changes: Any) -> None:
        """Write the configuration, good but for these changes."""
        good = {
            "instance": INSTANCE,
            "port": PORT,
            "govern": {"cgroups": [f"/{INSTANCE}.slice"]},
            "users": {"worker": WORKER_USER, "analyzer": ANALYZER_USER},
            "state_directory": str(self.state),
            "runtime_directory": str(self.directory / "run"),
            "policy_directory": str(self.policy.parent),
        }
        self.config.write_text(json.dumps(good | changes, indent=1))

    def start(self, *prefix: object, errand: str = "run") -> subprocess.CompletedProcess[str]:
        """Start the daemon, which must not stay."""
        command = [*prefix, BIN / "hostagentd", "--config", self.config, errand]
        enter = ["nsenter", f"--net=/run/netns/{self.netns}"]
        return subprocess.run(
            [*enter, *map(str, command)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def left(self) -> list[str]:
        """What of the instance is set up on the host."""
        found = [str(p) for p in (PINS / INSTANCE, find_cgroup2_root() / f"hostagent-{INSTANCE}") if p.exists()]
        for command in ("nft list tables", "ip -4 rule", "ip -6 rule", "ip -4 route show table 177"):
            done = subprocess.run(
                ["nsenter", f"--net=/run/netns/{self.netns}", *command.split()],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            found += [
                line for line in done.stdout.splitlines() if INSTANCE in line or "fwmark" in line or "dev lo" in line
            ]
        return found


@pytest.fixture
def place() -> Iterator[Place]:
    name = f"{INSTANCE}{os.getpid()}"
    with scratch() as directory:
        ip("netns", "add", name)
        try:
            ip("-n", name, "link", "set", "lo", "up")
            made = Place(directory, name)
            made.policy.parent.mkdir()
            made.policy.write_text(POLICY)
            made.configure()
            yield made
        finally:
            ip("netns", "del", name)
            Hooks.remove_leftovers(INSTANCE)  # of a daemon that did start
            remove_tree(find_cgroup2_root() / f"hostagent-{INSTANCE}")


def refused(place: Place, code: int, *words: str, prefix: tuple[object, ...] = (), errand: str = "run") -> str:
    """The daemon says one error that has these words, exits with that code, and has set up nothing."""
    done = place.start(*prefix, errand=errand)
    said = [line for line in done.stderr.splitlines() if not line.startswith("level=")]
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert said[0].startswith("hostagentd: ")
    assert [line for line in said[1:] if not line.startswith("  ")] == [], "one error"
    for word in words:
        assert word in done.stderr, done.stderr
    assert place.left() == []
    return done.stderr


def test_the_twin_is_good(place: Place) -> None:
    assert place.start(errand="check").returncode == 0


# --- the host -------------------------------------------------------------------------------------------------


def test_not_root(place: Place) -> None:
    refused(place, os.EX_NOPERM, "must start as root", prefix=AS_NOBODY)


def test_root_without_capabilities(place: Place) -> None:
    prefix = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    refused(place, os.EX_UNAVAILABLE, "lacking CAP_NET_ADMIN", "hint", prefix=prefix)


def hidden(script: str) -> tuple[str, ...]:
    """A command prefix: in a mount namespace of its own, where the script has hidden something."""
    return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{script}\nexec "$@"', "sh")


def test_cgroup_v1_only(place: Place) -> None:
    prefix = hidden("umount -a -t cgroup2")
    refused(place, os.EX_UNAVAILABLE, "no cgroup v2 hierarchy is mounted", "hint", prefix=prefix)


def test_kernel_without_type_information(place: Place) -> None:
    script = "mount -t tmpfs none /sys/kernel"
    refused(
        place, os.EX_UNAVAILABLE, "/sys/kernel/btf/vmlinux is not there", "CONFIG_DEBUG_INFO_BTF", prefix=hidden(script)
    )


WITHOUT_NFT = "mount -t tmpfs none $(dirname $(realpath $(command -v nft)))"


def test_nft_is_not_installed(place: Place) -> None:
    refused(place, os.EX_UNAVAILABLE, "nft is not installed", "package nftables", prefix=hidden(WITHOUT_NFT))


def test_all_that_is_missing_is_told_at_once(place: Place) -> None:
    script = f"{WITHOUT_NFT}; mount -t tmpfs none /sys/kernel"
    refused(place, os.EX_UNAVAILABLE, "nft is not installed", "vmlinux is not there", prefix=hidden(script))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_port_taken(place: Place, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(place.netns):
        taken = socket.create_server((address, PORT), family=family)
    with taken:
        refused(place, os.EX_UNAVAILABLE, f"port {PORT} is taken", "ss -tlnp")


# --- configuration --------------------------------------------------------------------------------------------


CONFIGS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "unknown key": (lambda t: t.replace('"port"', '"prot"'), "prot", 'did you mean "port"?'),
    "duplicate key": (
        lambda t: t.replace('"port": 15991', '"port": 15991,\n "port": 1'),
        "duplicate key `port`",
        "fix:",
    ),
    "wrong type": (lambda t: t.replace("15991", '"many"'), "port: a whole number is needed", ""),
    "out of range": (lambda t: t.replace("15991", "70000"), "port: ", "65536"),
    "nothing governed": (lambda t: t.replace(f'"/{INSTANCE}.slice"', ""), "nothing is governed", ""),
    "bad pattern": (lambda t: t.replace(f"/{INSTANCE}.slice", "agents/**"), "does not begin with /", ""),
    "relative path": (lambda t: t.replace('_directory": "/', '_directory": "', 1), "an absolute path is needed", ""),
    "not YAML": (lambda t: t + "}", "not YAML", ""),
    "empty": (lambda _: "", "the file is empty", ""),
    "unknown worker user": (
        lambda t: t.replace(str(WORKER_USER), '"nobody-of-that-name"'),
        "no user is called",
        "sysusers",
    ),
    "root as worker": (lambda t: t.replace(str(WORKER_USER), '"root"'), "is root", "fix:"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configuration(place: Place, case: str) -> None:
    change, *words = CONFIGS[case]
    place.config.write_text(change(place.config.read_text()))
    said = refused(place, os.EX_CONFIG, *words)
    assert f"{place.config}:" in said
    assert int(said.split(f"{place.config}:")[1].split(":")[0]) > 0


def test_configuration_is_missing(place: Place) -> None:
    place.config.unlink()
    refused(place, os.EX_CONFIG, f"{place.config}:1:1: cannot be read", "No such file")


# --- policy ---------------------------------------------------------------------------------------------------


POLICIES: dict[str, tuple[Callable[[str], str], tuple[int, int], str]] = {
    "unknown key": (lambda t: t.replace("name: read,", "name: read, reson: x,"), (7, 18), 'did you mean "reason"?'),
    "duplicate key": (lambda t: t.replace("version: 1", "version: 1\nversion: 1"), (2, 1), "duplicate key `version`"),
    "dangling name": (lambda t: t.replace("targets: orders", "targets: order"), (7, 40), 'did you mean "orders"?'),
    "bad glob": (
        lambda t: t.replace("kinds: read", "kinds: read, functions: 'p.[ab]'"),
        (7, 80),
        "use a list of patterns",
    ),
    "bad kind": (lambda t: t.replace("kinds: read", "kinds: raed"), (7, 63), 'did you mean "read"?'),
    "secret in the policy": (
        lambda t: t + "credentials:\n  - {name: c, user: u, password: hunter2}\n",
        (9, 24),
        "a secret never stands in a policy file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", POLICIES)
def test_policy(place: Place, case: str) -> None:
    change, (line, column), word = POLICIES[case]
    place.policy.write_text(change(POLICY))
    said = refused(place, os.EX_CONFIG, word)
    assert f"{place.policy}:{line}:{column}: " in said
    assert "hunter2" not in said


def test_no_policy_directory(place: Place) -> None:
    place.configure(policy_directory=str(place.directory / "nowhere"))
    refused(place, os.EX_CONFIG, f"{place.directory}/nowhere:1:1: cannot be read: No such file or directory")


def test_no_policy_in_the_directory(place: Place) -> None:
    place.policy.unlink()
    refused(place, os.EX_CONFIG, "no policy file (*.yaml) here", "policies/default.yaml")


# --- state and keys -------------------------------------------------------------------------------------------


def ca(place: Place, key: bytes, mode: int = 0o600) -> Path:
    """A CA whose key file holds this."""
    directory = place.state / "ca"
    directory.mkdir(parents=True)
    (directory / "ca.pem").write_bytes(b"garbage")
    (directory / "ca.key").write_bytes(key)
    (directory / "ca.key").chmod(mode)
    return directory / "ca.key"


def test_ca_key_is_garbage(place: Place) -> None:
    key = ca(place, b"-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n")
    refused(place, os.EX_CONFIG, f"{key}:1:1: the CA key cannot be read", "fix:")


def test_ca_key_that_others_can_read(place: Place) -> None:
    key = ca(place, b"whatever", 0o644)
    refused(place, os.EX_CONFIG, f"{key}:1:1: the CA key cannot be read", "0600")


def test_ca_key_unreadable(place: Place) -> None:
    """As for a daemon that may not read it: a directory stands there."""
    key = ca(place, b"")
    key.unlink()
    key.mkdir()
    refused(place, os.EX_CONFIG, f"{key}:1:1: the CA key cannot be read", "fix:")


def test_ca_key_without_its_certificate(place: Place) -> None:
    key = ca(place, b"")
    key.unlink()
    refused(place, os.EX_CONFIG, f"{key}:1:1: the CA key cannot be read", "No such file")


def test_state_directory_not_writable(place: Place) -> None:
    script = f"mkdir -p {place.state}; mount -t tmpfs -o ro none {place.state}"
    refused(place, os.EX_UNAVAILABLE, str(place.state), "Read-only file system", "hint", prefix=hidden(script))


def test_state_directory_is_a_file(place: Place) -> None:
    place.state.write_text("")
    refused(place, os.EX_UNAVAILABLE, str(place.state), "hint")


def test_state_directory_full(place: Place) -> None:
    script = f"mkdir -p {place.state}; mount -t tmpfs -o size=4k,nr_inodes=3 none {place.state}"
    refused(place, os.EX_UNAVAILABLE, str(place.state), "No space left", prefix=hidden(script))


def test_no_bpf_objects(place: Place) -> None:
    prefix = ("sh", "-c", 'exec "$0" --bpf /nowhere "$@"')
    refused(place, os.EX_UNAVAILABLE, "no BPF objects in /nowhere", "hint: make -C bpf", prefix=prefix)
