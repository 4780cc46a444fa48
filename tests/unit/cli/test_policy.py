from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from hostagent.cli import policy
from hostagent.values.actor import Actor, Attribute, Grade, Process

POLICIES = Path(__file__).parents[3] / "policies"
READ_ONLY = POLICIES / "library" / "postgres-read-only.yaml"


def run(*argv: str | Path) -> int:
    root = argparse.ArgumentParser(prog="hostagent")
    root.add_argument("--socket", type=Path)
    policy.register(root.add_subparsers())
    arguments = root.parse_args(["policy", *map(str, argv)])
    code: int = arguments.run(arguments)
    return code


def explain(*argv: str | Path) -> int:
    return run("explain", "--policy", READ_ONLY, "--target", "reports-db", *argv)


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", READ_ONLY) == 0
    assert "mode enforce, 1 actors, 1 targets, 0 credentials, 2 rules" in capsys.readouterr().out
    assert run("check", READ_ONLY, "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["rules"] == 2


def test_check_of_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nruls: []\n")
    (tmp_path / "b.yaml").write_text("version: 1\nversion: 1\n")
    assert run("check", tmp_path) == 65
    err = capsys.readouterr().err
    assert f'{tmp_path}/a.yaml:2:1: ruls: unknown key `ruls`\n  fix: did you mean "rules"?' in err
    assert f"{tmp_path}/b.yaml:2:1: duplicate key `version`" in err


def test_the_shipped_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test", POLICIES / "cases", "--junit", tmp_path / "junit.xml") == 0
    out = capsys.readouterr().out
    assert out.startswith("PASS ") and "WARN" not in out
    assert 'failures="0"' in (tmp_path / "junit.xml").read_text()


CASE = (
    "version: 1\ncases:\n  - {name: drops, actors: readers, target: reports-db, sql: DROP TABLE t, expect: {verdict: "
)


def test_a_failing_case_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.cases.yaml").write_text(CASE + "allow}}\n")
    assert run("test", "--policy", READ_ONLY, tmp_path) == 1
    out = capsys.readouterr().out
    assert "x.cases.yaml:3:5: drops" in out
    assert "expected allow, got deny: no rule allows drop" in out
    assert "does not cover drop" in out
    assert "FAIL 0/1" in out
    assert "WARN no case is answered by rule readers-read" in out


def test_results_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.cases.yaml").write_text(CASE + "deny}}\n")
    assert run("test", "--policy", READ_ONLY, tmp_path / "x.cases.yaml", "-o", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["passed"], answer["total"], answer["failures"]) == (1, 1, [])


def test_bad_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.cases.yaml").write_text("version: 1\ncases: []\n")
    assert run("test", "--policy", READ_ONLY, tmp_path) == 65
    assert "x.cases.yaml:2:8: cases: must not be empty" in capsys.readouterr().err
    assert run("test", tmp_path / "none") == 65


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("--actor", "readers", "SELECT * FROM users") == 0
    out = capsys.readouterr().out
    assert "statement 1: kinds select; relations users" in out
    assert "covers the whole statement" in out
    assert out.rstrip().endswith("allow by rule readers-read")


def test_explain_a_denial(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("--actor", "readers", "SELECT 1; DROP TABLE users") == 1
    assert capsys.readouterr().out.rstrip().endswith("deny: no rule allows drop")
    assert explain("--actor", "readers", "SELEC") == 1
    assert "cannot be parsed" in capsys.readouterr().out


def test_explain_with_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("--actor", "readers", "--schemas", "?", "SELECT * FROM users") == 1
    assert explain("--actor", "readers", "--schemas", "payroll,public", "SELECT * FROM users") == 1
    assert explain("--actor", "readers", "--schemas", "public", "SELECT * FROM users") == 0


def test_explain_an_actor_of_an_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = Process(1, 1, "/usr/bin/psql", (), "psql", 0)
    unit = Attribute("unit", "report.service", Grade.RUNTIME)
    actor = Actor(process, (), 0, "root", 0, "root", None, "", "/system.slice/report.service", (unit,))
    (tmp_path / "actor.json").write_text(json.dumps(actor.to_json()))
    assert explain("--actor-file", tmp_path / "actor.json", "SELECT 1", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["actors"] == ["readers"]


@pytest.mark.parametrize(("text", "error"), [("{", "actor.json:1:2: not JSON"), ("{}", "1:1: not an actor")])
def test_a_bad_actor_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, error: str) -> None:
    (tmp_path / "actor.json").write_text(text)
    assert explain("--actor-file", tmp_path / "actor.json", "SELECT 1") == 65
    assert error in capsys.readouterr().err


def test_unknown_names_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("--actor", "writers", "SELECT 1") == 2
    assert "unknown class of actors writers; the policy has: readers" in capsys.readouterr().err
    assert run("explain", "--policy", READ_ONLY, "--actor", "readers", "--target", "db", "SELECT 1") == 2
    assert "unknown target db; the policy has: reports-db" in capsys.readouterr().err


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("schema") == 0
    assert capsys.readouterr().out == (POLICIES / "policy.schema.json").read_text()
    assert run("schema", "--cases") == 0
    assert capsys.readouterr().out == (POLICIES / "cases.schema.json").read_text()


def test_reload_asks_the_daemon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[Path, str]] = []

    def call(path: Path, op: str, **_: Any) -> dict[str, Any]:
        asked.append((path, op))
        return {"version": "0123456789ab"}

    monkeypatch.setattr(policy, "call", call)
    assert run("reload") == 0
    assert capsys.readouterr().out == "policy 0123456789ab is in force\n"
    assert [op for _, op in asked] == ["policy.reload"]


OPERATIONS = POLICIES / "library" / "ssh-operations.yaml"


def explain_ssh(*argv: str | Path) -> int:
    return run("explain", "--policy", OPERATIONS, "--target", "web", "--actor", "agent", *argv)


def test_explaining_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain_ssh("uptime; ls /srv") == 0
    out = capsys.readouterr().out
    assert out.startswith("exec as deploy: uptime; ls /srv\n") and "allow by rule agent-looks" in out
    assert explain_ssh("uptime; id") == 1
    assert "does not cover the command id" in capsys.readouterr().out
    assert explain_ssh("ls $x") == 1
    assert "exec as deploy: `$` is replaced by the host's shell" in capsys.readouterr().out
    assert explain_ssh("--login", "root", "uptime") == 1
    capsys.readouterr()
    assert explain_ssh("scp -t /srv/www/releases/7", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["operation"]["kind"] == "scp_write"


def test_explaining_another_operation(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain_ssh("--kind", "sftp_read", "--path", "/var/log/nginx/../nginx/a") == 0
    assert "sftp_read as deploy: /var/log/nginx/a" in capsys.readouterr().out
    assert explain_ssh("--kind", "rsync_read", "--path", "/var/log", "--below") == 1
    assert explain_ssh("--kind", "forward_local", "--destination", "metrics.internal:5432") == 0
    assert explain_ssh("--kind", "env", "--name", "LANG") == 0
    assert explain_ssh("--kind", "env", "--name", "LD_PRELOAD") == 1


@pytest.mark.parametrize(
    ("argv", "wrong"),
    [
        ((), "a command line is needed, or --kind"),
        (("--kind", "shell", "ls"), "a command line is needed, or --kind"),
        (("--path", "/x", "ls"), "--path goes with --kind"),
        (("--name", "x", "--login", "root", "ls"), "--name goes with --kind"),
    ],
)
def test_what_is_asked_of_ssh_must_be_said(
    argv: tuple[str, ...], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain_ssh(*argv) == 2
    assert wrong in capsys.readouterr().err


def test_ssh_is_not_asked_of_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("--actor", "readers", "--login", "root", "SELECT 1") == 2
    assert "--login is for SSH, which target reports-db does not speak" in capsys.readouterr().err
    assert explain("--actor", "readers") == 2
    assert "SQL is needed" in capsys.readouterr().err
    assert explain("--actor", "readers", "SELECT 1") == 0


def test_check_warns_of_what_may_not_be_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = OPERATIONS.read_text().replace("- uptime", "- bash -c *")
    (tmp_path / "p.yaml").write_text(text)
    assert run("check", tmp_path) == 0
    out = capsys.readouterr().out
    assert "rule agent-looks: `bash -c *`: bash runs what it is told to" in out and "\nOK: policy" in out
    assert out.startswith(f"WARN {tmp_path}/p.yaml:")
    assert run("check", tmp_path, "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["warnings"][0]["rule"] == "agent-looks"
    assert run("check", OPERATIONS) == 0
    assert "WARN" not in capsys.readouterr().out
