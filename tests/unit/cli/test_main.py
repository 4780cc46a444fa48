"""The parser tree, exit codes, and errors that say what, why and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import hostagent
from hostagent.cli import status
from hostagent.cli.main import main, parser
from hostagent.errors import FileError, HostError, Location


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"hostagent {hostagent.__version__}\n"


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["status", "--nonsense"], ["status", "-o", "xml"], ["run"]])
def test_wrong_usage_is_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: hostagent" in capsys.readouterr().err


def test_every_verb_is_described() -> None:
    text = parser().format_help()
    for verb in ("status", "doctor", "run", "policy", "events", "sessions", "audit", "ca", "version"):
        assert f"    {verb} " in text


def test_without_a_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--socket", str(tmp_path / "none.sock"), "status"]) == os.EX_UNAVAILABLE
    err = capsys.readouterr().err
    assert err.startswith("error: no daemon answers at ")
    assert "hint: is hostagentd running?" in err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (FileError(Location("/etc/p.yaml", 3, 1), "unknown key `x`", "remove it"), os.EX_DATAERR, "/etc/p.yaml:3:1"),
        (HostError("no cgroup v2", "mount it"), os.EX_UNAVAILABLE, "hint: mount it"),
        (PermissionError(13, "Permission denied", "/var/lib/hostagent"), os.EX_NOPERM, "hint: use sudo"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_have_their_code_and_hint(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> dict[str, object]:
        raise error

    monkeypatch.setattr(status, "call", fail)
    assert main(["status"]) == code
    assert said in capsys.readouterr().err


def test_a_command_after_two_dashes_keeps_its_options() -> None:
    arguments = parser().parse_args(["run", "--user", "ci", "--", "psql", "-c", "select 1", "--", "-o"])
    assert arguments.user == "ci"
    assert arguments.argv == ["psql", "-c", "select 1", "--", "-o"]
