"""`hostagent run`: the daemon makes the cgroup, the command starts in it, and its exit code is ours."""

from __future__ import annotations

from typing import Any

import pytest

from hostagent.cli import run
from hostagent.cli.main import main
from hostagent.errors import HostError


class Daemon:
    """Notes what it is asked."""

    def __init__(self, *, dies: bool = False) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.dies = dies

    def __call__(self, _: object, op: str, **args: Any) -> dict[str, Any]:
        self.asked.append((op, args))
        if self.dies and op == "run.end":
            raise HostError("no daemon answers")
        return {"id": "ab12", "directory": "/sys/fs/cgroup/x/run/ab12"}


@pytest.mark.parametrize("dies", [False, True])
def test_a_command_runs_in_the_cgroup_made_for_it(monkeypatch: pytest.MonkeyPatch, dies: bool) -> None:
    daemon = Daemon(dies=dies)
    launched: list[tuple[object, ...]] = []
    monkeypatch.setattr(run, "call", daemon)
    monkeypatch.setattr(run, "launch", lambda *args: launched.append(args) or 7)
    assert main(["run", "--user", "ci", "--", "psql", "-c", "select 1"]) == 7
    assert launched == [(["psql", "-c", "select 1"], "/sys/fs/cgroup/x/run/ab12", "ci")]
    assert daemon.asked == [("run.prepare", {"argv": ["psql", "-c", "select 1"]}), ("run.end", {"id": "ab12"})]


def test_the_cgroup_goes_also_when_the_command_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(*_: object) -> int:
        raise HostError("no user is called 'ci'")

    daemon = Daemon()
    monkeypatch.setattr(run, "call", daemon)
    monkeypatch.setattr(run, "launch", launch)
    assert main(["run", "--user", "ci", "--", "true"]) == 69
    assert daemon.asked[-1] == ("run.end", {"id": "ab12"})


def test_without_a_daemon_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*_: object, **__: object) -> dict[str, Any]:
        raise HostError("only root may change anything", "use sudo")

    monkeypatch.setattr(run, "call", call)
    monkeypatch.setattr(run, "launch", lambda *_: pytest.fail("it ran"))
    assert main(["run", "--", "true"]) == 69
