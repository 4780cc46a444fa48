"""`launch`: governed before its first instruction; exit status, signals, user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hostagent.errors import HostError
from hostagent.kernel.launch import launch

PROGRAM = "import sys; from hostagent.kernel.launch import launch; sys.exit(launch(sys.argv[2:], sys.argv[1]))"


def start(cgroup: Path, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(cgroup), *argv], stdout=subprocess.PIPE, text=True)


def test_it_is_in_the_cgroup_from_its_first_instruction(make_cgroup, name_of) -> None:
    cgroup = make_cgroup()
    said, _ = start(cgroup, "grep", "^0::", "/proc/self/cgroup").communicate(timeout=10)
    assert said.strip() == f"0::{name_of(cgroup)}"
    assert not cgroup.exists()


@pytest.mark.parametrize(("argv", "status"), ((("true",), 0), (("sh", "-c", "exit 7"), 7), (("/nowhere/x",), 127)))
def test_its_exit_status_is_passed_on(make_cgroup, argv: tuple[str, ...], status: int) -> None:
    assert launch(argv, make_cgroup()) == status


def test_what_cannot_be_executed_is_126(make_cgroup, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    assert launch((str(tmp_path / "text"),), make_cgroup()) == 126


def test_a_signal_that_ends_it_is_told(make_cgroup) -> None:
    assert launch(("sh", "-c", "kill -KILL $$"), make_cgroup()) == 128 + signal.SIGKILL


def test_signals_go_on_to_it(make_cgroup) -> None:
    process = start(make_cgroup(), "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(timeout=10) == 9
    process.stdout.close()


def test_it_runs_as_the_user_that_is_asked_for(make_cgroup) -> None:
    assert launch(("sh", "-c", 'test "$(id -un)" = nobody'), make_cgroup(), "nobody") == 0
    assert launch(("sh", "-c", 'test "$(id -u)" = 0'), make_cgroup()) == 0


def test_a_cgroup_that_takes_nobody_is_an_error_and_nothing_ran(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="takes no process"):
        launch(("touch", str(tmp_path / "ran")), tmp_path / "no-cgroup")
    time.sleep(0.05)
    assert not (tmp_path / "ran").exists()


def test_an_unknown_user_is_an_error(make_cgroup) -> None:
    with pytest.raises(HostError, match="no user is called"):
        launch(("true",), make_cgroup(), "nobody-of-that-name")
    assert launch(("true",), make_cgroup(), str(os.getuid())) == 0
