"""`hostagent teardown` waits until the daemon is gone, and says what to do when there is none."""

from __future__ import annotations

import pytest

from hostagent.cli import teardown
from hostagent.cli.control_client import Unreachable
from hostagent.cli.main import main


def test_it_waits_until_the_daemon_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def call(_: object, op: str) -> dict[str, object]:
        asked.append(op)
        if len(asked) == 4:
            raise Unreachable("no daemon answers")
        return {}

    monkeypatch.setattr(teardown, "call", call)
    monkeypatch.setattr(teardown, "_POLL", 0.0)
    assert main(["teardown"]) == 0
    assert asked == ["teardown", "status", "status", "status"]


def test_without_a_daemon_it_names_the_other_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(_: object, op: str) -> dict[str, object]:
        raise Unreachable("no daemon answers")

    monkeypatch.setattr(teardown, "call", call)
    assert main(["teardown"]) == 69
    assert "hostagentd teardown" in capsys.readouterr().err


def test_a_daemon_that_stays_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "call", lambda *_: {})
    monkeypatch.setattr(teardown, "SECONDS", 0.01)
    assert main(["teardown"]) == 69
