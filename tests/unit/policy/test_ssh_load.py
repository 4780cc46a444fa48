"""What is refused in files about SSH, with its place, each beside what is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from ssh_samples import HOST, OWN

from hostagent.policy.lint import warnings
from hostagent.policy.load import PolicyErrors, load_policy
from hostagent.policy.model import Policy

DB = "{name: db, protocol: postgres, match: {addresses: 10.0.0.5}}"
HEAD = f"version: 1\ntargets: [{HOST}, {DB}]\ncredentials: [{OWN}]\n"


def load(directory: Path, text: str) -> Policy:
    (directory / "p.yaml").write_text(HEAD + text)
    return load_policy(directory)


def errors(directory: Path, text: str) -> str:
    with pytest.raises(PolicyErrors) as caught:
        load(directory, text)
    return str(caught.value)


def rule(effect: str, conditions: str, targets: str = "'*'") -> str:
    return f"rules:\n  - {{name: r, actors: '*', targets: {targets}, {effect}: {conditions}}}\n"


RULES = [
    # refused, why, and what is written instead
    ("allow", "{kinds: exec}", "`exec` needs `commands`", "{kinds: exec, commands: ls}"),
    ("observe", "{kinds: exec}", "`exec` needs `commands`", "{kinds: exec, commands: '**'}"),
    ("allow", "{kinds: [file_read, env]}", "`env` needs `environment`", "{kinds: [file_read, env], environment: A}"),
    ("allow", "{kinds: subsystem}", "`subsystem` needs `subsystems`", "{kinds: subsystem, subsystems: netconf}"),
    ("allow", "{kinds: sftp_extension}", "needs `extensions`", "{kinds: sftp_extension, extensions: '*'}"),
    ("allow", "{kinds: forward}", "`forward` needs `destinations`", "{kinds: forward, destinations: '*:22'}"),
    ("allow", "{kinds: forward_stream}", "`forward_stream` needs `paths`", "{kinds: forward_stream, paths: /run/x}"),
    ("allow", "{kinds: agent}", "agent forwarding is never let through", "{kinds: x11}"),
    ("approve", "{kinds: agent}", "agent forwarding is never let through", "{kinds: exec}"),
    ("allow", "{kinds: shell, commands: ls}", "`commands` says nothing of these kinds", "{kinds: shell}"),
    ("deny", "{kinds: shell, paths: /x}", "`paths` says nothing of these kinds", "{kinds: file_read, paths: /x}"),
    ("deny", "{kinds: exec, destinations: 'a:1'}", "`destinations` says nothing", "{destinations: 'a:1'}"),
    ("allow", "{kinds: exec, commands: ls, paths: /x}", "`paths` says nothing", "{kinds: exec, commands: ls}"),
    ("deny", "{kinds: file_read, unparsed: true}", "`unparsed` says nothing", "{kinds: exec, unparsed: true}"),
    ("allow", "{kinds: any, paths: /x}", "`any` lets through everything", "{kinds: any, logins: root}"),
    ("approve", "{kinds: any, commands: ls}", "`any` lets through everything", "{kinds: exec, commands: ls}"),
    (
        "allow",
        "{kinds: exec, commands: ls, unparsed: true}",
        'it goes with `commands: "**"`',
        "{kinds: exec, commands: '**', unparsed: true}",
    ),
    ("deny", "{kinds: [drop, shell]}", "`drop` is of SQL and `shell` of SSH", "{kinds: [drop, insert]}"),
    ("allow", "{kinds: read, commands: ls}", "`read` is of SQL and `commands` of SSH", "{kinds: read}"),
    ("allow", "{kinds: file_read, relations: a.b}", "`relations` is of SQL and `file_read`", "{kinds: file_read}"),
    ("deny", "{relations: a.b, logins: root}", "`relations` is of SQL and `logins` of SSH", "{logins: root}"),
    ("allow", "{kinds: exek, commands: ls}", 'unknown kind `exek`\n  fix: did you mean "exec"?', "{kinds: any}"),
    ("allow", "{kinds: exec, command: ls}", 'unknown key `command`\n  fix: did you mean "comm', "{kinds: any}"),
    ("allow", "{kinds: exec, commands: 'ls $x'}", "`$` is replaced", "{kinds: exec, commands: 'ls *'}"),
    ("allow", "{kinds: exec, commands: '* x'}", "the program is written out", "{kinds: exec, commands: 'x *'}"),
    ("allow", "{kinds: file_read, paths: srv/a}", "a path begins with `/`", "{kinds: file_read, paths: '~/srv/a'}"),
    ("allow", "{kinds: file_read, paths: /a/../b}", "without `.` and `..`", "{kinds: file_read, paths: /b}"),
    ("allow", "{kinds: forward, destinations: a}", "host:port is needed", "{kinds: forward, destinations: 'a:1'}"),
    ("deny", "{}", "`deny` has no condition", "{logins: root}"),
    ("deny", "{unparsed: false}", "`deny` has no condition", "{unparsed: true}"),
]


@pytest.mark.parametrize(("effect", "refused", "why", "instead"), RULES)
def test_rules(tmp_path: Path, effect: str, refused: str, why: str, instead: str) -> None:
    found = errors(tmp_path, rule(effect, refused))
    assert found.startswith(f"{tmp_path}/p.yaml:5:")
    assert why in found
    policy = load(tmp_path, rule(effect, instead))
    assert Policy.from_json(policy.to_json()) == policy


@pytest.mark.parametrize(
    ("effect", "conditions", "target", "about"),
    [
        ("allow", "{kinds: read}", "host", "SQL"),
        ("deny", "{kinds: any, relations: a.b}", "host", "SQL"),
        ("deny", "{functions: '*'}", "host", "SQL"),
        ("allow", "{kinds: file_read}", "db", "SSH"),
        ("deny", "{logins: root}", "db", "SSH"),
    ],
)
def test_rules_about_what_a_target_does_not_speak(
    tmp_path: Path, effect: str, conditions: str, target: str, about: str
) -> None:
    found = errors(tmp_path, rule(effect, conditions, f"[{target}]"))
    assert f"p.yaml:5:38: rules[0].targets[0]: this is about {about}, which `{target}` does not speak" in found
    load(tmp_path, rule(effect, conditions, "db" if target == "host" else "host"))
    load(tmp_path, rule(effect, conditions))


def test_a_rule_about_everything_is_for_every_target(tmp_path: Path) -> None:
    load(tmp_path, rule("allow", "{kinds: any}", "[host, db]"))


LIMIT = "limits:\n  - {name: l, actors: '*', targets: TARGET, max: 1, per: hour, WHAT}\n"


@pytest.mark.parametrize(
    ("target", "refused", "why", "instead"),
    [
        ("'*'", "what: rows, kinds: exec", "`what: rows` counts rows of SQL", "what: statements, kinds: exec"),
        ("'*'", "what: statements, kinds: [exec, read]", "`read` is of SQL and `exec` of SSH", "what: errors"),
        ("'*'", "what: bytes, kinds: exec, relations: a.b", "`relations` is of SQL", "what: bytes, kinds: exec"),
        ("host", "what: rows", "limits[0].targets[0]: this is about SQL, which `host`", "what: bytes"),
        ("host", "what: bytes, kinds: read", "limits[0].targets[0]: this is about SQL", "what: bytes, kinds: any"),
        ("db", "what: bytes, kinds: file_read", "limits[0].targets[0]: this is about SSH", "what: rows"),
    ],
)
def test_limits(tmp_path: Path, target: str, refused: str, why: str, instead: str) -> None:
    text = LIMIT.replace("TARGET", target)
    assert why in errors(tmp_path, text.replace("WHAT", refused))
    load(tmp_path, text.replace("WHAT", instead))


def test_masks_are_for_databases(tmp_path: Path) -> None:
    mask = "masks:\n  - {name: m, targets: TARGET, columns: a.b.c, mask: 'null'}\n"
    found = errors(tmp_path, mask.replace("TARGET", "[db, host]"))
    assert "p.yaml:5:29: masks[0].targets[1]: this is about SQL, which `host` does not speak" in found
    load(tmp_path, mask.replace("TARGET", "db"))
    load(tmp_path, mask.replace("TARGET", "'*'"))


LINT = [
    ("allow", "{kinds: exec, commands: 'sh -c *'}", "`sh -c *`: sh runs what it is told to"),
    ("allow", "{kinds: exec, commands: /usr/bin/python3}", "python3 runs what it is told to"),
    ("allow", "{kinds: exec, commands: 'bash -s'}", "bash runs what it is told to"),
    ("allow", "{kinds: exec, commands: 'bash /opt/x.sh'}", ""),
    ("allow", "{kinds: exec, commands: 'git **'}", "git can run other programs"),
    ("allow", "{kinds: exec, commands: 'git log *'}", ""),
    ("allow", "{kinds: exec, commands: 'sudo systemctl restart *'}", ""),
    ("allow", "{kinds: exec, commands: 'sudo **'}", "sudo can run other programs"),
    ("allow", "{kinds: exec, commands: '**'}", "`**` lets through every command"),
    ("allow", "{kinds: exec, commands: 'ls **'}", ""),
    ("allow", "{kinds: any, unparsed: true}", "`unparsed` lets through whatever"),
    ("allow", "{kinds: shell}", "in a shell anything can be done"),
    ("approve", "{kinds: shell}", ""),
    ("deny", "{kinds: exec, commands: 'rm **'}", "a deny by command is no boundary"),
    ("deny", "{kinds: exec}", ""),
    ("allow", "{kinds: env, environment: LD_*}", "the variable LD_PRELOAD changes what is run"),
    ("allow", "{kinds: env, environment: APP_*}", ""),
    ("allow", "{kinds: sftp_write, paths: /**}", "who may write ~/.ssh/authorized_keys"),
    ("allow", "{kinds: sftp_write, paths: '~/**'}", "who may write ~/.ssh/authorized_keys"),
    ("allow", "{kinds: file_write}", "who may write ~/.ssh/authorized_keys"),
    ("allow", "{kinds: file_write, paths: /srv/**}", "rsync can make links in these paths"),
    ("allow", "{kinds: [sftp_write, sftp_read], paths: /srv/**}", ""),
    ("allow", "{kinds: x11}", "sees and types on the client's display"),
    ("allow", "{kinds: tun}", "no rule sees where its packets go"),
    ("approve", "{kinds: [tun, exec]}", ""),
    ("allow", "{kinds: forward_stream, paths: /run/**}", "who may speak to /run/docker.sock can do anything"),
    ("allow", "{kinds: forward_stream, paths: /run/postgresql/*}", ""),
    ("deny", "{kinds: tun}", ""),
    ("allow", "{kinds: read}", ""),
]


@pytest.mark.parametrize(("effect", "conditions", "warning"), LINT)
def test_what_may_not_be_meant(tmp_path: Path, effect: str, conditions: str, warning: str) -> None:
    found = warnings(load(tmp_path, rule(effect, conditions)))
    assert [name for name, _ in found] == (["r"] if warning else [])
    assert all(warning in text for _, text in found)


def test_a_rule_that_covers_nobody(tmp_path: Path) -> None:
    text = rule("allow", "{kinds: file_read}", "host")
    assert warnings(load(tmp_path, text)) == ()
    (tmp_path / "p.yaml").write_text(HEAD.replace("user: deploy, ", "") + text)
    ((_, warning),) = warnings(load_policy(tmp_path))
    assert warning == "the credential of `host` names no user and the rule no `logins`: it covers nobody there"
