"""Explanations, cases and limits of SSH operations."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from policy_samples import policy_of
from ssh_samples import HOST, OWN, ask, op, rules, run

from hostagent.errors import FileError
from hostagent.policy.cases import Report, load_cases, run_cases
from hostagent.policy.explain_ssh import explain_operation
from hostagent.policy.limits import limits_for
from hostagent.policy.model import Policy
from hostagent.ssh.operation import Operation, SshKind

LINES = (
    "looks allow {kinds: [exec, file_read], commands: 'ls **', paths: /srv/**}",
    "root allow {kinds: shell, logins: root}",
    "asks approve {kinds: exec, commands: 'rm **'}",
    "names allow {kinds: [subsystem, env], subsystems: netconf, environment: A}",
    "no deny {paths: /srv/key}",
    "nobody deny {kinds: any, logins: eve}",
    "sql deny {kinds: drop}",
)


def because(operation: Operation) -> dict[str, tuple[bool, str]]:
    explanation = explain_operation(rules(*LINES), frozenset(), "host", operation)
    assert explanation.ruling == ask(rules(*LINES), operation)
    assert explanation.operation is not None and explanation.statements == ()
    return {answer.rule: (answer.matched, answer.because) for answer in explanation.operation.rules}


@pytest.mark.parametrize(
    ("operation", "rule", "matched", "says"),
    [
        (run("ls; ls -l"), "looks", True, "covers all of it"),
        (run("ls; id x"), "looks", False, "does not cover the command id x"),
        (run("ls >/x"), "looks", False, "does not cover the redirection of /x"),
        (run("ls $x"), "looks", False, "does not say `unparsed`: `$` is replaced by the host's shell: write its value"),
        (run("ls", login="root"), "looks", False, "is not for the login root"),
        (run("ls"), "root", False, "does not cover exec"),
        (run("rm x"), "asks", True, "hits"),
        (run("ls"), "asks", False, "does not cover the command ls"),
        (op("sftp_read", "/srv/key"), "no", True, "hits"),
        (op("sftp_read", "/srv/a"), "no", False, "none of its patterns matches a path"),
        (run("ls"), "no", False, "none of its patterns matches a path"),
        (run("ls"), "nobody", False, "it is for other logins"),
        (run("ls", login="eve"), "nobody", True, "hits"),
        (op("subsystem", name="x"), "names", False, "does not cover the name x"),
        (run("ls"), "sql", False, "is about SQL"),
        (op("shell", login="root"), "root", True, "covers all of it"),
    ],
)
def test_why(operation: Operation, rule: str, matched: bool, says: str) -> None:
    assert because(operation)[rule] == (matched, says)


def test_what_an_explanation_shows() -> None:
    explanation = explain_operation(rules(*LINES), frozenset(), "host", run("ls -l 'a b'; ls >/x"))
    shown = explanation.to_json()["operation"]
    assert shown["commands"] == ("ls -l a b", "ls")
    assert (shown["kind"], shown["login"], shown["paths"]) == ("exec", "deploy", ("/x",))


LIMITED = f"""
targets: [{HOST}]
credentials: [{OWN}]
rules:
  - {{name: all, actors: "*", targets: "*", allow: {{kinds: any}}}}
limits:
  - {{name: everything, actors: "*", targets: "*", what: statements, max: 1, per: hour}}
  - {{name: any, actors: "*", targets: "*", what: bytes, kinds: any, max: 1, per: hour}}
  - {{name: reads, actors: "*", targets: host, what: bytes, kinds: file_read, max: 1, per: hour}}
  - {{name: shells, actors: "*", targets: host, what: errors, kinds: [shell, exec], max: 1, per: hour}}
  - {{name: sql, actors: "*", targets: "*", what: statements, kinds: read, max: 1, per: hour}}
  - {{name: rows, actors: "*", targets: "*", what: rows, relations: a.b, max: 1, per: hour}}
"""


@pytest.mark.parametrize(
    ("operation", "counting"),
    [
        (op("sftp_read", "/x"), ("everything", "any", "reads")),
        (op("shell"), ("everything", "any", "shells")),
        (run("ls"), ("everything", "any", "shells")),
        (run("scp -f x"), ("everything", "any", "reads")),
    ],
)
def test_limits_count_operations(operation: Operation, counting: tuple[str, ...]) -> None:
    policy = policy_of(LIMITED)
    assert explain_operation(policy, frozenset(), "host", operation).limits == counting
    assert len(limits_for(policy, frozenset(), "host")) == 6


POLICY = policy_of(
    f"targets: [{HOST}, {{name: db, protocol: postgres, match: {{addresses: 10.0.0.5}}}}]\ncredentials: [{OWN}]\n"
    "rules:\n"
    "  - {name: looks, actors: '*', targets: host, allow: {kinds: [exec, file_read], commands: ls, paths: /srv/**}}\n"
)


def report(directory: Path, line: str, policy: Policy = POLICY) -> Report:
    path = directory / "x.cases.yaml"
    path.write_text(
        f"version: 1\ncases:\n  - {{name: c, actor: {{}}, {line}, expect: {{verdict: allow, rule: looks}}}}\n"
    )
    return run_cases(policy, [load_cases(path, policy)])


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("target: host, ssh: {login: deploy, exec: ls}", ""),
        ("target: host, ssh: {login: deploy, exec: id}", "expected allow, got deny: no rule allows exec of id"),
        ("target: host, ssh: {login: deploy, exec: scp -r -f /srv/x}", ""),
        ("target: host, ssh: {login: deploy, kind: sftp_read, paths: [/srv/./x]}", ""),
        ("target: host, ssh: {login: deploy, kind: sftp_read, paths: [/srv/../x]}", "expected allow, got deny"),
        ("target: host, ssh: {login: deploy, kind: rsync_read, paths: [/srv/x], below: true}", ""),
        ("target: host, ssh: {login: deploy, kind: subsystem, name: sftp}", ""),
        ("target: host, ssh: {login: deploy, kind: forward_local, destination: 'a:1'}", "expected allow, got deny"),
        ("target: host, ssh: {login: root, exec: ls}", "expected allow, got deny: no rule allows exec as root"),
    ],
)
def test_cases(tmp_path: Path, line: str, failure: str) -> None:
    (result,) = report(tmp_path, line).results
    assert result.failure.startswith(failure) and bool(result.failure) is bool(failure)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("target: host", "exactly one of `sql` and `ssh` is needed"),
        ("target: host, sql: x, ssh: {login: a, exec: x}", "exactly one of `sql` and `ssh` is needed"),
        ("target: host, ssh: {login: a}", "exactly one of `exec` and `kind` is needed"),
        ("target: host, ssh: {login: a, exec: x, kind: shell}", "exactly one of `exec` and `kind` is needed"),
        ("target: host, ssh: {login: a, exec: x, paths: [y]}", "`exec` says it all"),
        ("target: host, ssh: {login: a, kind: exec}", "`kind: exec` has no command line"),
        ("target: host, ssh: {login: a, kind: shel}", 'unknown word `shel`\n  fix: did you mean "shell"?'),
        ("target: host, ssh: {login: '', exec: x}", "must not be empty"),
        ("target: host, sql: select 1", "cases[0].target: `host` does not speak that\n  fix: a case of it has `ssh`"),
        ("target: db, ssh: {login: a, exec: x}", "cases[0].target: `db` does not speak that\n  fix: a case of it has"),
    ],
)
def test_cases_that_are_wrong(tmp_path: Path, line: str, error: str) -> None:
    with pytest.raises(FileError) as caught:
        report(tmp_path, line)
    assert error in str(caught.value)


def test_every_kind_can_be_asked_for_in_a_case(tmp_path: Path) -> None:
    everything = rules("looks allow {kinds: any}")
    for kind in set(SshKind) - {SshKind.AGENT, SshKind.EXEC}:
        assert report(tmp_path, f"target: host, ssh: {{login: deploy, kind: {kind}}}", everything).failed == ()
