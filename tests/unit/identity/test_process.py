"""Parents from a real /proc: the right process or only what the kernel recorded, never another process's data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hostagent.identity import process
from hostagent.identity.process import Proc, up_to_leader
from hostagent.values.actor import Process
from hostagent.values.flow import ProcessRecord

TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
SLEEP = Path("/bin/sleep").resolve()


def record_of(pid: int, within_tick: int = TICK // 2) -> ProcessRecord:
    """What the kernel would record: its own nanoseconds lie somewhere within the tick that stat shows."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    comm = Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    return ProcessRecord(pid, int(fields[19]) * TICK + within_tick, comm, Path(f"/proc/{pid}").stat().st_uid)


def bare(record: ProcessRecord) -> Process:
    return Process(record.pid, record.start_time, "", (), record.comm, record.uid)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([SLEEP, "60"])
    wait_until(lambda: Path(f"/proc/{child.pid}/exe").resolve() == SLEEP)
    wait_until(lambda: Path(f"/proc/{child.pid}/cmdline").read_bytes() != b"")  # comes after the executable
    yield child
    child.kill()
    child.wait()


@pytest.mark.parametrize("within_tick", [0, TICK - 1])
def test_a_running_process_shows_executable_and_command_line(
    sleeper: subprocess.Popen[bytes], within_tick: int
) -> None:
    record = record_of(sleeper.pid, within_tick)
    found = Proc().process(record)
    assert found == Process(sleeper.pid, record.start_time, str(SLEEP), (str(SLEEP), "60"), "sleep", os.getuid())


@pytest.mark.parametrize("off", [-TICK, TICK, -TICK * 1000])
def test_a_reused_pid_shows_only_what_the_kernel_recorded(sleeper: subprocess.Popen[bytes], off: int) -> None:
    record = record_of(sleeper.pid)
    reused = replace(record, start_time=record.start_time + off, comm="gone")
    assert Proc().process(reused) == bare(reused)
    assert Proc().process(record).executable == str(SLEEP)


def test_a_pid_reused_between_the_checks_shows_only_what_the_kernel_recorded(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = record_of(sleeper.pid)
    contents = process._contents
    stats = []

    def changing(directory: int, name: bytes, limit: int) -> bytes:
        raw = contents(directory, name, limit)
        if name == b"stat":
            stats.append(raw)
        started = str(record.start_time // TICK).encode()
        return raw.replace(started, b"1", 1) if len(stats) == 2 else raw

    monkeypatch.setattr(process, "_contents", changing)
    assert Proc().process(record) == bare(record)
    assert len(stats) == 2


def test_a_process_that_is_gone_shows_only_what_the_kernel_recorded() -> None:
    child = subprocess.Popen([SLEEP, "60"])
    record = record_of(child.pid)
    child.kill()
    child.wait()
    assert Proc().process(record) == bare(record)


def test_a_zombie_shows_only_what_the_kernel_recorded() -> None:
    child = subprocess.Popen([SLEEP, "60"])
    record = record_of(child.pid)
    child.kill()
    wait_until(lambda: state(child.pid) == "Z")
    assert Proc().process(record) == bare(record)
    child.wait()


def test_what_was_seen_is_kept_after_the_process_is_gone() -> None:
    child = subprocess.Popen([SLEEP, "60"])
    wait_until(lambda: Path(f"/proc/{child.pid}/exe").resolve() == SLEEP)
    record = record_of(child.pid)
    proc = Proc()
    seen = proc.process(record)
    child.kill()
    wait_until(lambda: state(child.pid) == "Z")
    assert proc.process(record) is seen
    child.wait()
    assert proc.process(record) is seen
    assert seen.executable == str(SLEEP)


def test_an_exec_is_seen_though_the_record_is_the_same() -> None:
    code = "import os, sys; sys.stdin.readline(); os.execv(sys.argv[1], [sys.argv[1], '60'])"
    child = subprocess.Popen([sys.executable, "-c", code, SLEEP], stdin=subprocess.PIPE)
    assert child.stdin
    python = str(Path(sys.executable).resolve())
    wait_until(lambda: str(Path(f"/proc/{child.pid}/exe").resolve()) == python)
    record = record_of(child.pid)
    proc = Proc()
    assert proc.process(record).executable == python
    child.stdin.write(b"\n")
    child.stdin.close()
    words = f"{SLEEP}\0" + "60\0"  # the kernel shows the new program a moment before its arguments
    wait_until(lambda: Path(f"/proc/{child.pid}/cmdline").read_bytes() == words.encode())
    after = proc.process(record)
    assert (after.executable, after.command_line) == (str(SLEEP), (str(SLEEP), "60"))
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_a_name_with_parentheses_and_a_command_line_of_odd_bytes(tmp_path: Path) -> None:
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to(SLEEP)
    child = subprocess.Popen([b"\xffname", b"60"], executable=odd)
    wait_until(lambda: Path(f"/proc/{child.pid}/comm").read_text() == "a) R 1 (b\n")
    wait_until(lambda: Path(f"/proc/{child.pid}/cmdline").read_bytes() != b"")
    record = record_of(child.pid)
    found = Proc().process(record)
    assert found.command_line[0] == r"\xffname"
    assert found.executable == str(SLEEP)
    assert found.comm == "a) R 1 (b"
    child.kill()
    child.wait()


def test_a_kernel_thread_shows_only_what_the_kernel_recorded(tmp_path: Path) -> None:
    pid = tmp_path / "2"
    pid.mkdir()
    (pid / "stat").write_text("2 (kthreadd) S " + " ".join(["0"] * 18) + " 5 0 0\n")
    (pid / "cmdline").write_text("")
    record = ProcessRecord(2, 5 * TICK, "kthreadd", 0)
    assert Proc(tmp_path).process(record) == bare(record)


def test_what_was_seen_is_kept_after_the_pid_was_reused(tmp_path: Path) -> None:
    pid = tmp_path / "7"
    pid.mkdir()
    fields = "7 (sh) S " + " ".join(["0"] * 18)
    (pid / "stat").write_text(f"{fields} 5 0\n")
    (pid / "cmdline").write_bytes(b"sh\0-c\0psql\0")
    (pid / "exe").symlink_to("/bin/first")
    record = ProcessRecord(7, 5 * TICK, "sh", 0)
    proc = Proc(tmp_path)
    seen = proc.process(record)
    assert (seen.executable, seen.command_line) == ("/bin/first", ("sh", "-c", "psql"))
    (pid / "stat").write_text(f"{fields} 6 0\n")
    (pid / "exe").unlink()
    (pid / "exe").symlink_to("/bin/second")
    assert proc.process(record) is seen
    assert Proc(tmp_path).process(record) == bare(record)


def test_a_stat_that_is_cut_shows_only_what_the_kernel_recorded(tmp_path: Path) -> None:
    pid = tmp_path / "7"
    pid.mkdir()
    (pid / "stat").write_text("7 (x) S 0 0")
    (pid / "exe").symlink_to(SLEEP)
    record = ProcessRecord(7, 5 * TICK, "x", 0)
    assert Proc(tmp_path).process(record) == bare(record)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]) -> None:
    monkeypatch.setattr(process, "MAX_KEPT", 3)
    proc = Proc()
    record = record_of(sleeper.pid)
    for n in range(10):
        proc.process(replace(record, comm=f"name{n}"))
    assert [kept.comm for kept in proc._kept] == ["name7", "name8", "name9"]


def test_each_open_file_is_closed(sleeper: subprocess.Popen[bytes]) -> None:
    record = record_of(sleeper.pid)
    reused = replace(record, start_time=record.start_time + TICK)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        Proc().process(record)
        Proc().process(reused)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


CHAIN = tuple(ProcessRecord(pid, pid * TICK, f"p{pid}", 0) for pid in (50, 40, 30, 1))


@pytest.mark.parametrize(
    ("leader", "pids"),
    [
        (40, [50, 40]),
        (50, [50]),
        (1, [50, 40, 30, 1]),
        (60, [50, 40, 30, 1]),  # the process leads its own session: setsid(2) does not hide who started it
        (35, [50, 40, 30, 1]),  # the leader has exited
        (0, [50, 40, 30, 1]),  # the leader is outside the reader's pid namespace
    ],
)
def test_parents_run_up_to_the_session_leader(leader: int, pids: list[int]) -> None:
    assert [parent.pid for parent in up_to_leader(CHAIN, leader)] == pids
