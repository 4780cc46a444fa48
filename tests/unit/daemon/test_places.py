"""Cgroups of an instance, on the real hierarchy, and its directories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hostagent.daemon.config import Config, Govern
from hostagent.daemon.places import Places, delegated_cgroup, make_directories
from hostagent.errors import HostError


def test_cgroups_are_made_and_removed(places: Places) -> None:
    for cgroup in (places.workers, places.analyzers, places.canary, places.runs):
        assert places.directory(cgroup).is_dir()
    assert places.workers not in places.governed
    places.make()  # again is no error


def test_a_run_has_a_cgroup_until_its_last_process_ended(places: Places) -> None:
    path = places.make_run("ab12")
    assert path == f"{places.runs}/ab12"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (places.directory(path) / "cgroup.procs").write_text(str(process.pid))
        assert not places.end_run("ab12")
        process.communicate(b"\n")
    assert places.end_run("ab12")
    assert places.end_run("ab12")  # gone is gone


def test_the_supervisor_enters_its_cgroup_and_leaves_it(places: Places) -> None:
    script = (
        "import sys; from pathlib import Path; from hostagent.daemon.places import Places, _own_cgroup\n"
        "p = Places(sys.argv[1], Path(sys.argv[2])); before = _own_cgroup()\n"
        "p.enter(); print(_own_cgroup() == p.supervisor); p.leave(); print(_own_cgroup() == before)"
    )
    name = places.base.removeprefix("/hostagent-")
    done = subprocess.run([sys.executable, "-c", script, name, places.root], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_the_supervisor_and_the_workers_are_exempt_and_nothing_else(places: Places) -> None:
    assert places.exempt == (places.supervisor, places.workers)
    assert not set(places.exempt) & set(places.governed)


@pytest.mark.parametrize("run", ["", "../workers", "a/b", "UPPER", "x" * 33])
def test_a_run_id_is_no_path(places: Places, run: str) -> None:
    with pytest.raises(ValueError, match="not a run id"):
        places.make_run(run)
    with pytest.raises(ValueError, match="not a run id"):
        places.end_run(run)


def test_workers_of_a_unit_live_below_it() -> None:
    places = Places("x", Path("/cg"), "/system.slice/hostagentd.service")
    assert places.directory(places.workers) == Path("/cg/system.slice/hostagentd.service/workers")
    assert places.canary == "/hostagent-x/canary"


def test_the_delegated_cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "cgroup"
    monkeypatch.setattr("hostagent.daemon.places._OWN_CGROUP", own)
    own.write_text("3:cpu:/\n0::/system.slice/hostagentd.service\n", "utf-8")
    assert delegated_cgroup({"INVOCATION_ID": "1"}) == "/system.slice/hostagentd.service"
    assert delegated_cgroup({}) == ""
    own.write_text("0::/user.slice/session-1.scope\n", "utf-8")
    assert delegated_cgroup({"INVOCATION_ID": "1"}) == ""


def test_only_the_recording_directory_is_the_worker_s(tmp_path: Path) -> None:
    state, runtime = tmp_path / "state", tmp_path / "run"
    config = Config(govern=Govern(cgroups=("/a",)), state_directory=state, runtime_directory=runtime)
    make_directories(config, (12345, 12346), 12347)
    journal = state / "records" / "journal"
    assert (journal.stat().st_uid, journal.stat().st_gid) == (12345, 12347)
    assert journal.stat().st_mode & 0o007 == 0
    for directory in (state, runtime, config.ca_key.parent):
        assert directory.stat().st_uid == os.getuid()
        assert directory.stat().st_mode & 0o022 == 0


def test_the_set_group_bit_is_not_set_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RestrictSUIDSGID= of the unit forbids it; systemd-tmpfiles has set it, and directories below inherit it."""
    config = Config(govern=Govern(cgroups=("/a",)), state_directory=tmp_path, runtime_directory=tmp_path / "run")
    config.recording_directory.mkdir(mode=0o750)
    config.recording_directory.chmod(0o2750)

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    make_directories(config, (12345, 12346), 12347)
    assert (config.recording_directory / "sessions").stat().st_mode & 0o7777 == 0o2750


def test_a_state_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = Config(
        govern=Govern(cgroups=("/a",)), state_directory=tmp_path / "file" / "state", runtime_directory=tmp_path
    )
    with pytest.raises(HostError, match="state: Not a directory"):
        make_directories(config, (12345, 12346), None)
