"""What a process is after it gave up its privilege; real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from hostagent.privilege import readable_by_all

UNPRIVILEGED = 54321
REPORT = """
import sys
from hostagent.privilege import give_up
give_up(int(sys.argv[1]), int(sys.argv[2]))
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
names = ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "CapEff", "CapPrm", "CapInh", "CapAmb")
print(*(status[name].strip() for name in names), sep="|")
try:
    import os
    os.setuid(0)
    print("root again")
except PermissionError:
    print("no way back")
"""


def give_up(uid: int, gid: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", REPORT, str(uid), str(gid)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nothing_is_left_and_there_is_no_way_back() -> None:
    facts, back = give_up(UNPRIVILEGED, UNPRIVILEGED).stdout.splitlines()
    uid, gid, groups, no_new, filtered, *capabilities = facts.split("|")
    assert uid == gid == "\t".join([str(UNPRIVILEGED)] * 4)
    assert groups == ""
    assert [int(held, 16) for held in capabilities] == [0] * 4
    assert (no_new, filtered) == ("1", "2")
    assert back == "no way back"


def test_root_is_no_user_to_become() -> None:
    for uid, gid in ((0, UNPRIVILEGED), (UNPRIVILEGED, 0), (-1, -1)):
        assert "started as root" in give_up(uid, gid).stderr


def test_it_dies_with_its_parent_although_it_changed_its_user() -> None:
    child = (
        "from hostagent.privilege import give_up; give_up(54321, 54321); print(flush=True); import time; time.sleep(60)"
    )
    parent = (
        "import subprocess, sys, os; p = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE);"
        "p.stdout.readline(); print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent, child], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    for _ in range(100):
        if not _runs(pid):
            return
        subprocess.run(["sleep", "0.05"], check=True)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("it lived on")


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_only_root_can_read_is_known() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        place = Path(directory) / "package"
        place.mkdir()
        Path(directory).chmod(0o755)
        file = place / "module.py"
        file.touch(0o644)
        assert readable_by_all(file)
        file.chmod(0o600)
        assert not readable_by_all(file)
        file.chmod(0o644)
        place.chmod(0o700)
        assert not readable_by_all(file)
