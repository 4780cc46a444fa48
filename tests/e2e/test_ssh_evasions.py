"""Ways around a policy, each tried through the daemon and past it: nothing forbidden has an effect on the server.

`-s` prints the table: the way, what came of it, and the same directly.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from tests.e2e.ssh_ways import BAIT, LISTENED, SECRET, Way, commands, rest
from tests.e2e.ssh_world import SshWorld, ssh_world, target
from tests.e2e.world import CLIENTS
from tests.lab.sshd import Sshd, ssh_agent
from tests.netns.topology import inside

POLICY: dict[str, Any] = {
    "targets": [target("web", 2)],
    "rules": [
        {"name": "looks", "actors": "*", "targets": "web",
         "allow": {"kinds": ["exec", "file_read"], "commands": ["echo **", "true", "cat {directory}/srv/open/*", "env"],
                   "paths": "{directory}/srv/open/**", "logins": "root"}},
        {"name": "drops", "actors": "*", "targets": "web",
         "allow": {"kinds": "file_write", "paths": "{directory}/srv/in/**", "logins": "root"}},
    ],
}  # fmt: skip
ACCEPTED = ("AcceptEnv LD_PRELOAD GIT_SSH_COMMAND BASH_ENV", "X11Forwarding yes", "PermitTunnel yes", "PermitTTY yes")


def lay_out(top: Path) -> None:
    """The server's files as they are before."""
    for name in ("open", "closed", "in", "marks"):
        shutil.rmtree(top / name, ignore_errors=True)
        (top / name).mkdir(parents=True)
    for name in ("closed/secret", "closed/secret2", "closed/mode", "closed/d1", "in/r1", "in/r2", "open/plain"):
        (top / name).write_text(SECRET if "secret" in name else "x")
    (top / "closed" / "d2").mkdir()
    for link, leads in (
        ("open/link", "closed/secret"),
        ("open/dir", "closed"),
        ("in/dir", "closed"),
        ("closed/link", "closed/secret"),
    ):
        (top / link).symlink_to(top / leads)


@contextlib.contextmanager
def bait(here: SshWorld, top: Path) -> Iterator[None]:
    """What forwards would reach: a port and a socket of the server's that say a word to whoever comes."""
    program = (
        "import socketserver, sys, threading\n"
        "class H(socketserver.BaseRequestHandler):\n    def handle(self): self.request.sendall(b'bait')\n"
        f"s = socketserver.ThreadingTCPServer(('127.0.0.1', {BAIT}), H)\n"
        f"u = socketserver.ThreadingUnixStreamServer('{top}/bait', H)\n"
        "threading.Thread(target=s.serve_forever, daemon=True).start()\nprint('up', flush=True)\nu.serve_forever()\n"
    )
    enter = ["nsenter", f"--net=/run/netns/{here.lab.db}", sys.executable, "-I", "-c", program]
    with subprocess.Popen(enter, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        yield
        process.kill()


@pytest.fixture(scope="module")
def here() -> Iterator[SshWorld]:
    with ssh_world(POLICY, Sshd(settings=(*ACCEPTED, "Subsystem other /bin/echo another subsystem"))) as made:
        top = made.sshd.directory / "srv"
        top.mkdir()
        lay_out(top)
        with bait(made, top):
            yield made


def answers(here: SshWorld, ways: list[Way], direct: bool) -> list[str]:
    """What came of each; of a command afterwards last."""
    tried = json.dumps([[way.verb, *way.arguments] for way in ways])
    program = [sys.executable, "-I", CLIENTS / "ssh_evade.py"]
    if direct:
        known = here.sshd.directory / "known"
        known.write_text(f"* {here.sshd.host_key}\n")
        command = [*here.agent.enter(), *program, known, here.sshd.user_key_file]
        done = subprocess.run(
            list(map(str, command)), input=tried, capture_output=True, text=True, check=False, timeout=60
        )
    else:
        done = here.governed(*program, here.known_hosts, "-", input=tried)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_no_way_around_has_an_effect(here: SshWorld) -> None:
    top = here.sshd.directory / "srv"
    ways = [*commands(top), *rest(top)]
    governed = answers(here, ways, direct=False)
    worked = [way.worked(answer) for way, answer in zip(ways, governed, strict=False)]
    with inside(here.lab.db), contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", LISTENED), 1).close()
        worked[[way.verb for way in ways].index("listen")] = True
    lay_out(top)
    direct = answers(here, ways, direct=True)
    beside = [way.worked(answer) for way, answer in zip(ways, direct, strict=False)]
    show(ways, governed, worked, direct, beside)
    assert governed[-1] == "0 still here\n"
    assert [way.name for way, effect in zip(ways, worked, strict=True) if effect] == []
    assert all(beside)  # each has its effect where nobody decides
    denied = {e["message"] for e in here.events("decided") if e["unmapped"]["verdict"] == "deny"}
    assert all(way.arguments[0] in denied for way in ways if way.verb == "exec")


def show(ways: list[Way], governed: list[str], worked: list[bool], direct: list[str], beside: list[bool]) -> None:
    """The table."""
    table = Table(title="Ways around, tried for real")
    for head in ("way", "governed", "effect", "directly", "effect"):
        table.add_column(head, no_wrap=True)
    for row in zip(ways, governed, worked, direct, beside, strict=False):
        way, answer, effect, other, there = row
        table.add_row(way.name, _short(answer), "YES" if effect else "none", _short(other), "yes" if there else "none")
    Console(width=200).print(table)


def _short(answer: str) -> str:
    return answer.replace("\n", " ")[:70].replace("[", "(")


def test_links_of_the_server_are_seen_by_sftp_and_not_by_scp_and_rsync(here: SshWorld, tmp_path: Path) -> None:
    """The limit that SECURITY.md names: whoever can make a link in an allowed directory can lead scp -O and rsync
    through it."""
    top = here.sshd.directory / "srv"
    lay_out(top)
    link, within, got = f"root@10.77.0.2:{top}/open/link", f"root@10.77.0.2:{top}/open/dir/secret", tmp_path / "got"
    shell = shlex.join(["ssh", *here.options()])
    for follows, command in (
        (False, ["scp", *here.options(), link, got]),
        (True, ["scp", "-O", *here.options(), link, got]),
        (True, ["rsync", "-e", shell, within, got]),
    ):
        done = here.governed(*command)
        assert (done.returncode == 0) == got.exists() == follows, (command, done.stderr)
        assert not follows or got.read_text() == SECRET
        got.unlink(missing_ok=True)


def test_another_process_rides_on_a_shared_connection_with_its_makers_rights(here: SshWorld) -> None:
    mark = here.sshd.directory / "srv" / "marks" / "ridden"
    with here.shared() as shared:
        assert here.ssh(2, "echo", "made", options=shared).stdout == "made\n"
        words = [*here.agent.enter(), "ssh", *here.options(*shared), "root@10.77.0.2"]  # one that is not governed
        given: dict[str, Any] = {
            "capture_output": True,
            "text": True,
            "check": False,
            "stdin": subprocess.DEVNULL,
            "timeout": 30,
        }
        ridden = subprocess.run([*words, "echo", "ridden"], **given)
        refused = subprocess.run([*words, "touch", str(mark)], **given)
        again = here.ssh(2, "echo", "again", options=shared)
    assert (ridden.stdout, again.stdout) == ("ridden\n", "again\n")
    assert refused.returncode == 126 and "decision" in refused.stderr and not mark.exists()
    made, rode, denied = (here.decided(text)[0] for text in ("echo made", "echo ridden", f"touch {mark}"))
    assert made["unmapped"]["flow"] == rode["unmapped"]["flow"] == denied["unmapped"]["flow"]
    assert rode["actor"]["process"]["pid"] == made["actor"]["process"]["pid"] and "rides" in denied["unmapped"]
    assert [e["unmapped"]["channel"] for e in (made, rode, denied)] == [1, 2, 3]


def test_what_openssh_asks_for_beside_a_command(here: SshWorld, tmp_path: Path) -> None:
    """Agent, X11, and the host keys that a server announces, each beside the same directly."""
    with ssh_agent(tmp_path / "agent"):
        environment = {**os.environ, "SSH_AUTH_SOCK": str(tmp_path / "agent"), "DISPLAY": ":99", "HOME": str(tmp_path)}
        asked = ("ForwardAgent=yes", "ForwardX11=yes", "ForwardX11Trusted=yes", "LogLevel=DEBUG1")
        own = here.governed("ssh", *here.options(*asked), "root@10.77.0.2", "env", env=environment)
        direct = [
            *here.agent.enter(),
            "ssh",
            *here.options(*asked, "StrictHostKeyChecking=no", f"IdentityFile={here.sshd.user_key_file}"),
        ]
        other = subprocess.run([*direct, "root@10.77.0.2", "env"], env=environment, capture_output=True, text=True,
                               check=False, stdin=subprocess.DEVNULL, timeout=30)  # fmt: skip
    for name, sign in (("agent", "SSH_AUTH_SOCK="), ("X11", "DISPLAY=")):
        assert sign in other.stdout and sign not in own.stdout, name
    assert "client_input_hostkeys" in other.stderr or "hostkeys-00@openssh.com" in other.stderr
    assert "hostkeys-00@openssh.com" not in own.stderr
    kinds = {e["unmapped"]["kind"] for e in here.events("decided") if e["unmapped"]["verdict"] == "deny"}
    assert {"agent", "x11"} <= kinds
