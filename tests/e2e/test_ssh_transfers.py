"""Large, many and broken off: transfers in flat memory, many sessions at once, new keys and ends in the middle."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ssh_world import SshWorld, ssh_world, target
from tests.e2e.world import CLIENTS, Event, eventually

HOST = "root@10.77.0.2"
SIZES = {"sftp": 1 << 30, "exec": 1 << 28}
GROWTH = 48 << 20  # bytes that a worker may grow by, whatever passes: windows of both legs, and 8 MiB of a recording
SESSIONS = 200
POLICY: dict[str, Any] = {
    "targets": [target("web", 2)],
    "rules": [
        {"name": "move", "actors": "*", "targets": "web",
         "allow": {"kinds": ["exec", "file_read", "file_write"], "commands": ["cat **", "sh {directory}/*.sh"],
                   "redirections": "/dev/shm/**", "logins": "root"}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[SshWorld]:
    with ssh_world(POLICY, recording={"max_session_bytes": 1 << 28}) as made:
        yield made


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    """In memory: a file for each kind of transfer, and room for copies."""
    with tempfile.TemporaryDirectory(prefix="hostagent-ssh-", dir="/dev/shm") as made:
        directory = Path(made)
        block = os.urandom(1 << 20)
        for name, size in SIZES.items():
            with (directory / name).open("wb") as file:
                for _ in range(size >> 20):
                    file.write(block)
        yield directory


def resident(pid: int, field: str) -> int:
    """Bytes: VmRSS, or VmHWM since the peak was reset."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def worker(here: SshWorld) -> int:
    """The worker's pid."""
    pid: int = json.loads(here.agent.hostagent("status", "-o", "json"))["workers"][0]["pid"]
    return pid


def ways(here: SshWorld, files: Path) -> dict[str, list[object]]:
    """Commands that copy a file to `copy`."""
    options, big, part, copy = here.options(), files / "sftp", files / "exec", files / "copy"
    into = ["sh", "-c", f'exec "$@" < {part}', "sh", "ssh", *options, HOST]
    return {
        "sftp up": ["scp", *options, big, f"{HOST}:{copy}"],
        "sftp down": ["scp", *options, f"{HOST}:{big}", copy],
        "exec stdin": [*into, f"cat > {copy}"],
        "exec stdout": ["sh", "-c", f'exec "$@" > {copy}', "sh", "ssh", *options, HOST, f"cat {part}"],
    }


@pytest.mark.parametrize("way", ["sftp up", "sftp down", "exec stdin", "exec stdout"])
def test_a_large_transfer_is_whole_and_memory_is_flat(here: SshWorld, files: Path, way: str) -> None:
    assert here.ssh(2, "cat", "/dev/null").returncode == 0  # the library is loaded
    pid, kind = worker(here), way.split()[0]
    size = SIZES[kind]
    before = resident(pid, "VmRSS")
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    started = time.monotonic()
    done = here.governed(*ways(here, files)[way])
    took = time.monotonic() - started
    grown = resident(pid, "VmHWM") - before
    print(f"{way}: {size >> 20} MB in {took:.1f} s, {size / took / 1e6:.0f} MB/s, worker grew by {grown / 1e6:.1f} MB")
    assert done.returncode == 0, done.stderr
    assert (expected := digest(files / kind)) == digest(files / "copy") and grown < GROWTH
    ended = transfer(here, {"sftp up": "sftp_write", "sftp down": "sftp_read"}.get(way, "exec"))
    assert ended["bytes"] == (0 if way == "exec stdin" else size)
    if way.startswith("sftp"):
        assert ended["sha256"] == expected
    else:
        assert ended["bytes_in" if way == "exec stdin" else "bytes_out"] == size
    (files / "copy").unlink()


def transfer(here: SshWorld, kind: str) -> dict[str, Any]:
    """The facts of the end of what was last let through, of that kind."""
    decided = [e["unmapped"] for e in here.events("decided") if e["unmapped"]["kind"] == kind][-1]
    found: dict[str, Any] = here.finished(decided["decision"])["unmapped"]
    return found


def test_new_keys_in_the_middle_of_both_directions(here: SshWorld, files: Path) -> None:
    size, copy = 24 << 20, files / "copy"
    pipe = f'head -c {size} {files}/exec | "$@" > {copy}'
    options = here.options("RekeyLimit=2M", "LogLevel=DEBUG1")
    done = here.governed("sh", "-c", pipe, "sh", "ssh", *options, HOST, "cat")
    expected = hashlib.sha256((files / "exec").read_bytes()[:size]).hexdigest()
    assert done.returncode == 0 and digest(copy) == expected
    assert done.stderr.count("SSH2_MSG_KEXINIT sent") > 5


def test_many_sessions_at_once(here: SshWorld) -> None:
    before = len(here.events("finished"))
    ssh = ["ssh", *here.options("ConnectTimeout=50"), HOST, "cat -"]
    driver = [sys.executable, "-I", CLIENTS / "ssh_many.py", SESSIONS, *ssh]
    done = here.governed(*driver, timeout=100)
    assert done.stdout == f"{SESSIONS} at once, {SESSIONS} ended well\n", done.stdout + done.stderr[-2000:]
    finished = here.events("finished")[before:]
    assert len(finished) == SESSIONS and {e["unmapped"]["exit_status"] for e in finished} == {0}
    opened = [e["unmapped"]["flow"] for e in here.decided("cat -")]
    assert len(opened) == len(set(opened)) == SESSIONS


def closed(here: SshWorld, flow: str) -> Event:
    """The end of a flow; waits for it."""
    return eventually(lambda: next((e for e in here.events("flow_closed") if e["unmapped"]["flow"] == flow), None))


def kill_server(here: SshWorld) -> None:
    """Kill its processes for connections before what they started, which would else be seen to end first."""
    listener = here.sshd.running[-1].pid
    for pid in Path(f"/proc/{listener}/task/{listener}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    here.sshd.kill()


@pytest.mark.parametrize("dies", ["client", "server"])
@pytest.mark.parametrize("what", ["sftp", "exec"])
def test_an_end_in_the_middle_is_told_and_recorded(here: SshWorld, files: Path, dies: str, what: str) -> None:
    copy = files / f"copy-{dies}-{what}"
    slowly = ["-l", "80000"] if what == "sftp" else []  # Kbit/s: longer than the test for all of it
    argv: list[object] = ["scp", *slowly, *here.options("LogLevel=INFO"), files / "sftp", f"{HOST}:{copy}"]
    if what == "exec":
        argv = ["ssh", *here.options("LogLevel=INFO"), HOST, f"cat - > {copy}"]
    with here.running(*argv) as process:
        assert process.stdin is not None
        if what == "exec":
            process.stdin.write("begun\n")
            process.stdin.flush()
        eventually(lambda: copy.exists() and copy.stat().st_size > 0)
        text = f"cat - > {copy}" if what == "exec" else str(copy)
        decided = [e for e in here.events("decided") if text in e["message"]][-1]
        if dies == "client":
            os.kill(decided["actor"]["process"]["pid"], signal.SIGKILL)
            process.communicate(timeout=20)
        else:
            kill_server(here)
            _, errors = process.communicate(timeout=20)
            here.sshd.start()
            told = "the server" if what == "exec" else "lost connection"  # scp ends ssh before it says more
            assert process.returncode and told in errors, errors
    ended = here.finished(decided["unmapped"]["decision"])["unmapped"]
    assert ended["error"], ended
    assert closed(here, decided["unmapped"]["flow"])
    assert here.ssh(2, "cat", "/dev/null").returncode == 0  # the next one is served
    here.agent.hostagent("audit", "verify", "--state-dir", here.agent.state)


def test_without_the_daemon_nothing_gets_through(here: SshWorld) -> None:
    ssh = " ".join(["ssh", *here.options("ConnectTimeout=5", "LogLevel=INFO"), HOST, "cat", "/etc/hostname"])
    with here.running("sh") as shell:
        assert shell.stdin is not None and shell.stdout is not None
        shell.stdin.write(f"{ssh}; echo status $?\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == Path("/etc/hostname").read_text()
        assert shell.stdout.readline() == "status 0\n"
        here.agent.kill()
        shell.stdin.write(f"{ssh} 2>&1; echo status $?\n")
        shell.stdin.close()
        after = shell.stdout.read()
    assert after.endswith("status 255\n") and Path("/etc/hostname").read_text() not in after, after
