from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from policy_samples import analysis, harmless, policy_of, statement
from ssh_samples import HOST, OWN, ask, op, rules, run

from hostagent.policy.conditions import NO_AGENT
from hostagent.policy.decide import decide
from hostagent.policy.groups import KIND_WORDS, SSH_GROUPS, SSH_WORDS
from hostagent.policy.model import Policy
from hostagent.policy.ssh import decide_operation
from hostagent.sql.analysis import Kind
from hostagent.ssh.operation import Operation, SshKind
from hostagent.values.decision import Verdict

LS = "ls allow {kinds: exec, commands: 'ls **'}"
EVERY = "every allow {kinds: any}"
ALL = "all allow {kinds: any, unparsed: true}"
NO_RM = "no deny {kinds: exec, commands: 'rm **'}"
WATCH = "watch observe {kinds: any}"
ASKED = "asked approve {kinds: exec, commands: 'rm **'}"


@pytest.mark.parametrize(
    ("lines", "mode", "command", "verdict", "rule"),
    [
        ((), "enforce", "ls", "deny", ""),
        ((), "observe", "ls", "observe", ""),
        ((LS,), "enforce", "ls", "allow", "ls"),
        ((LS,), "enforce", "ls; ls", "allow", "ls"),
        ((LS,), "enforce", "ls; id", "deny", ""),
        ((LS,), "observe", "ls; id", "observe", ""),
        ((EVERY, NO_RM), "enforce", "rm x", "deny", "no"),
        ((EVERY, NO_RM), "enforce", "ls; rm x", "deny", "no"),
        ((EVERY, NO_RM), "enforce", "ls", "allow", "every"),
        ((EVERY, NO_RM), "observe", "rm x", "observe", "no"),
        ((EVERY, NO_RM + ", mode: observe"), "enforce", "rm x", "observe", "no"),
        ((EVERY, NO_RM + ", mode: enforce"), "observe", "rm x", "deny", "no"),
        ((WATCH,), "enforce", "id", "observe", "watch"),
        ((WATCH, LS), "enforce", "ls", "allow", "ls"),
        ((EVERY, ASKED), "enforce", "rm x", "approve", "asked"),
        ((EVERY, ASKED), "enforce", "ls; rm x", "approve", "asked"),
        ((EVERY, ASKED), "enforce", "ls", "allow", "every"),
        ((LS, ASKED), "enforce", "ls; rm x", "deny", ""),
        ((LS, ASKED), "enforce", "rm x", "approve", "asked"),
        ((LS, ASKED), "enforce", "rm x; id", "deny", ""),
        ((EVERY, ASKED), "observe", "rm x", "observe", "asked"),
        ((EVERY, ASKED, NO_RM), "enforce", "rm x", "deny", "no"),
        (("asked approve {kinds: exec}",), "enforce", "anything", "approve", "asked"),
        # what is not known exactly
        ((LS,), "enforce", "ls $x", "deny", ""),
        ((LS,), "observe", "ls $x", "deny", ""),
        ((EVERY,), "enforce", "ls $x", "deny", ""),
        ((WATCH,), "enforce", "ls $x", "deny", ""),
        ((ALL,), "enforce", "ls $x", "allow", "all"),
        (("all allow {kinds: exec, commands: '**', unparsed: true}",), "enforce", "ls $x", "allow", "all"),
        (("all allow {kinds: exec, commands: '**'}",), "enforce", "ls $x", "deny", ""),
        ((ALL, NO_RM), "enforce", "ls $x", "deny", "no"),
        ((EVERY, NO_RM), "observe", "ls $x", "deny", ""),
        ((ALL, "no deny {kinds: exec, unparsed: true}"), "enforce", "ls $x", "deny", "no"),
        ((ALL, "no deny {kinds: exec, unparsed: true}"), "enforce", "ls x", "allow", "all"),
        ((LS, "asked approve {kinds: exec}"), "enforce", "ls $x", "deny", ""),
        ((LS, "asked approve {kinds: exec}, mode: enforce"), "observe", "ls $x", "deny", ""),
        ((LS, "asked approve {kinds: exec, unparsed: true}"), "enforce", "ls $x", "approve", "asked"),
        ((LS, "asked approve {kinds: exec, unparsed: true}"), "enforce", "ls", "approve", "asked"),
        ((EVERY, ASKED.replace("}", ", redirections: /x}")), "enforce", "rm x", "approve", "asked"),
        ((EVERY, "asked approve {kinds: exec, redirections: /x}"), "enforce", "rm x", "allow", "every"),
        ((EVERY, "asked approve {kinds: exec, redirections: /x}"), "enforce", "rm x >/x", "approve", "asked"),
        ((ALL, "asked approve {kinds: exec, commands: 'rm **'}"), "enforce", "ls $x", "approve", "asked"),
        ((EVERY,), "enforce", "scp -f /a/../b", "deny", ""),
        ((ALL,), "enforce", "scp -f /a/../b", "allow", "all"),
        ((ALL, "no deny {paths: /b}"), "enforce", "scp -f /a/../c", "deny", "no"),
        (
            ("all allow {kinds: [exec, file_read], commands: '**', unparsed: true, paths: /a/**}",),
            "enforce",
            "scp -f /a/../b",
            "deny",
            "",
        ),
        # redirections
        ((LS,), "enforce", "ls >/dev/null 2>&1", "allow", "ls"),
        ((LS,), "enforce", "ls >/tmp/x", "deny", ""),
        (("ls allow {kinds: exec, commands: ls, redirections: /tmp/*}",), "enforce", "ls >/tmp/x", "allow", "ls"),
        (("ls allow {kinds: exec, commands: ls, redirections: /tmp/*}",), "enforce", "ls >/tmp/x 2>/y", "deny", ""),
        (("ls allow {kinds: exec, commands: ls, redirections: /tmp/*}",), "enforce", "ls >x", "deny", ""),
        (("ls allow {kinds: exec, commands: ls, redirections: '~/*'}",), "enforce", "ls >x", "allow", "ls"),
        ((EVERY,), "enforce", "ls >/tmp/x", "allow", "every"),
        ((EVERY, "no deny {redirections: /etc/**}"), "enforce", "ls >/etc/x", "deny", "no"),
        ((EVERY, "no deny {redirections: /etc/**}"), "enforce", "ls >/tmp/x", "allow", "every"),
        ((EVERY, "no deny {redirections: /etc/**, commands: rm}"), "enforce", "ls >/etc/x", "allow", "every"),
    ],
)
def test_commands(lines: tuple[str, ...], mode: str, command: str, verdict: str, rule: str) -> None:
    ruling = ask(rules(*lines, mode=mode), run(command))
    assert (ruling.verdict.value, ruling.rule) == (verdict, rule), ruling.reason


FILES = "files allow {kinds: [file_read, sftp_write], paths: [/srv/**, '~/in/*']}"


@pytest.mark.parametrize(
    ("lines", "operation", "verdict"),
    [
        ((FILES,), op("sftp_read", "/srv/a"), "allow"),
        ((FILES,), op("sftp_read", "/srv/a/../../etc/shadow"), "deny"),
        ((FILES,), op("sftp_write", "/srv/a"), "allow"),
        ((FILES,), op("sftp_delete", "/srv/a"), "deny"),
        ((FILES,), op("sftp_read", "in/a"), "allow"),
        ((FILES,), op("sftp_read", "in/a/b"), "deny"),
        ((FILES,), op("sftp_read", "../deploy/in/a"), "deny"),
        ((FILES,), run("scp -f /srv/a"), "allow"),
        ((FILES,), run("scp -r -f /srv/a"), "allow"),
        ((FILES,), run("scp -r -f in"), "deny"),
        ((FILES,), run("scp -f in/x"), "allow"),
        ((FILES,), run("scp -r -f in/x"), "deny"),
        ((FILES,), run("scp -t /srv/a"), "deny"),
        (("f allow {kinds: file_write, paths: /srv/a}",), run("scp -t /srv/a"), "deny"),
        (("f allow {kinds: file_write, paths: /srv/a/**}",), run("scp -t /srv/a"), "allow"),
        (("f allow {kinds: file_write, paths: /srv/**}",), op("sftp_rename", "/srv/a", "/srv/b"), "allow"),
        (("f allow {kinds: file_write, paths: /srv/**}",), op("sftp_rename", "/srv/a", "/etc/b"), "deny"),
        (("f allow {kinds: file_write, paths: /srv/**}",), op("sftp_link", "/srv/a", "/etc/shadow"), "deny"),
        (("f allow {kinds: file_read}",), op("sftp_read", "../x"), "allow"),
        ((FILES, "no deny {paths: /srv/key}"), op("sftp_read", "/srv/key"), "deny"),
        ((FILES, "no deny {paths: /srv/key}"), run("scp -r -f /srv"), "deny"),
        ((FILES, "no deny {paths: /srv/key}"), op("sftp_list", "/srv"), "allow"),
        ((FILES, "no deny {kinds: file_write, paths: /srv/key}"), op("sftp_read", "/srv/key"), "allow"),
        (("g allow {kinds: git_fetch, paths: /srv/git/*.git}",), run("git-upload-pack '/srv/git/a.git'"), "allow"),
        (("g allow {kinds: git_fetch, paths: /srv/git/*.git}",), run("git-upload-pack '/srv/git/a'"), "deny"),
        (("g allow {kinds: git_fetch, paths: /srv/git/*.git}",), run("git-receive-pack '/srv/git/a.git'"), "deny"),
        (("g allow {kinds: git}", "no deny {paths: /srv/git/s.git}"), run("git-upload-pack '/srv/git/s'"), "deny"),
        (("g allow {kinds: git}", "no deny {paths: /srv/git/s}"), run("git-upload-pack '/srv/git/s.git'"), "deny"),
        (("g allow {kinds: git}", "no deny {paths: /srv/git/s}"), run("git-upload-pack '/srv/git/t'"), "allow"),
        (("f allow {kinds: forward, destinations: 'db:5432'}",), op("forward_local", destination="db:5432"), "allow"),
        (("f allow {kinds: forward, destinations: 'db:5432'}",), op("forward_local", destination="db:22"), "deny"),
        (("f allow {kinds: forward, destinations: 'db:5432'}",), op("forward_stream", "/run/docker.sock"), "deny"),
        (("f allow {kinds: forward_stream, paths: /run/x}",), op("forward_stream", "/run/x"), "allow"),
        (("f allow {kinds: forward_stream, paths: /run/x}",), op("forward_stream_remote", "/run/x"), "deny"),
        ((EVERY, "no deny {destinations: '*:22'}"), op("forward_local", destination="h:22"), "deny"),
        ((EVERY, "no deny {destinations: '*:22'}"), op("forward_local", destination="h:23"), "allow"),
        (("e allow {kinds: env, environment: APP_*}",), op("env", name="APP_X"), "allow"),
        (("e allow {kinds: env, environment: APP_*}",), op("env", name="LD_PRELOAD"), "deny"),
        (("e allow {kinds: env, environment: APP_*}",), op("env", name="LANG"), "allow"),
        ((LS,), op("env", name="LC_ALL"), "allow"),
        ((LS,), op("env", name="PATH"), "deny"),
        ((), op("env", name="LANG"), "deny"),
        ((LS, "no deny {kinds: env}"), op("env", name="LANG"), "deny"),
        (("s allow {kinds: subsystem, subsystems: netconf}",), op("subsystem", name="netconf"), "allow"),
        (("s allow {kinds: subsystem, subsystems: netconf}",), op("subsystem", name="sftp"), "deny"),
        ((FILES,), op("subsystem", name="sftp"), "allow"),
        ((FILES,), op("subsystem", name="netconf"), "deny"),
        ((LS,), op("subsystem", name="sftp"), "deny"),
        (("f approve {kinds: file_write}",), op("subsystem", name="sftp"), "allow"),
        (("f approve {kinds: file_write}",), op("sftp_stat", "."), "allow"),
        (("f approve {kinds: file_write}",), op("sftp_stat", "x"), "deny"),
        (("f approve {kinds: file_write}",), op("sftp_write", "x"), "approve"),
        ((FILES, "f approve {kinds: subsystem, subsystems: sftp}"), op("subsystem", name="sftp"), "approve"),
        (("f approve {kinds: any}",), op("env", name="LANG"), "allow"),
        (("f approve {kinds: any}",), op("shell"), "approve"),
        ((FILES, "no deny {kinds: subsystem}"), op("subsystem", name="sftp"), "deny"),
        (("f allow {kinds: sftp_read, paths: /srv/*}",), op("sftp_stat", "."), "allow"),
        (("f allow {kinds: sftp_read, paths: /srv/*}",), op("sftp_stat", "/home/deploy"), "deny"),
        (("x allow {kinds: sftp_extension, extensions: statvfs@*}",), op("sftp_extension", name="statvfs@o"), "allow"),
        (("x allow {kinds: sftp_extension, extensions: statvfs@*}",), op("sftp_extension", name="copy-data"), "deny"),
        (("s allow {kinds: shell}",), op("shell"), "allow"),
        (("s allow {kinds: shell}",), op("shell_no_pty"), "deny"),
        (("s allow {kinds: interactive}",), op("shell_no_pty"), "allow"),
        (("s allow {kinds: interactive}",), op("x11"), "deny"),
        ((EVERY,), op("x11"), "allow"),
        # what names nothing is covered by no pattern, and hit by each
        ((FILES,), op("sftp_read"), "deny"),
        (("f allow {kinds: file_read}",), op("sftp_read"), "allow"),
        (("f allow {kinds: file_read}", "no deny {paths: /x}"), op("sftp_read"), "deny"),
        ((LS,), op("exec"), "deny"),
        (("x allow {kinds: subsystem, subsystems: '*'}",), op("subsystem"), "deny"),
        (("x allow {kinds: forward, destinations: '*:22'}",), op("forward_local"), "deny"),
        ((EVERY,), op("tun"), "allow"),
        ((ALL,), op("agent"), "deny"),
    ],
)
def test_operations(lines: tuple[str, ...], operation: Operation, verdict: str) -> None:
    ruling = ask(rules(*lines), operation)
    assert ruling.verdict.value == verdict, ruling.reason
    assert ruling.kinds == (operation.kind.value,)
    assert ruling.reason or ruling.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("lines", "login", "verdict"),
    [
        (("s allow {kinds: shell}",), "deploy", "allow"),
        (("s allow {kinds: shell}",), "root", "deny"),
        (("s allow {kinds: shell, logins: [root, ann]}",), "root", "allow"),
        (("s allow {kinds: shell, logins: [root, ann]}",), "deploy", "deny"),
        (("s allow {kinds: shell, logins: '*'}",), "bob", "allow"),
        (("s allow {kinds: shell, logins: '*'}", "no deny {kinds: shell}"), "bob", "deny"),
        (("s allow {kinds: shell, logins: '*'}", "no deny {logins: root}"), "root", "deny"),
        (("s allow {kinds: shell, logins: '*'}", "no deny {logins: root}"), "bob", "allow"),
        (("s approve {kinds: shell}",), "root", "deny"),
        (("s approve {kinds: shell, logins: root}",), "root", "approve"),
        (("s approve {kinds: shell}", "a allow {kinds: shell, logins: root}"), "root", "approve"),
        (("s observe {kinds: shell}",), "root", "deny"),
        (("s allow {kinds: any}",), "root", "deny"),
    ],
)
def test_logins(lines: tuple[str, ...], login: str, verdict: str) -> None:
    assert ask(rules(*lines), op("shell", login=login)).verdict.value == verdict


def test_a_credential_without_a_user_covers_no_login_by_itself() -> None:
    nameless = OWN.replace("user: deploy, ", "")
    head = f"targets: [{HOST}]\ncredentials: [{nameless}]\nrules:\n  - {{name: a, actors: '*', targets: '*', allow: "
    silent = policy_of(head + "{kinds: shell}}\n")
    assert ask(silent, op("shell", login="deploy")).verdict is Verdict.DENY
    assert ask(silent, op("shell", login="")).verdict is Verdict.DENY
    assert ask(policy_of(head + "{kinds: shell, logins: deploy}}\n"), op("shell")).verdict is Verdict.ALLOW


def test_a_user_with_a_star_is_no_pattern() -> None:
    starred = OWN.replace("user: deploy, ", "user: '*', ")
    policy = policy_of(
        f"targets: [{HOST}]\ncredentials: [{starred}]\nrules:\n"
        "  - {name: a, actors: '*', targets: '*', allow: {kinds: shell}}\n"
    )
    assert ask(policy, op("shell")).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("lines", "operation", "reason"),
    [
        ((), run("ls"), "no rule allows exec: none speaks of this actor and target"),
        ((FILES,), run("ls"), "no rule allows exec"),
        ((LS,), run("ls; id x"), "no rule allows exec of id x; rule ls allows: ls **"),
        ((LS,), run("ls $x"), "its meaning is not known: `$` is replaced by the host's shell: write its value"),
        ((LS,), run("ls >x"), "no rule allows exec with a redirection of x: leave it out"),
        ((LS,), run("ls", login="root"), "no rule allows exec as root; rule ls allows: deploy"),
        ((FILES,), op("sftp_read", "/x"), "no rule allows sftp_read of /x; rule files allows: /srv/**, ~/in/*"),
        (
            ("f allow {kinds: scp_write, paths: /srv/a}",),
            run("scp -t /srv/a"),
            "no rule allows scp_write of /srv/a and all below it; rule f allows: /srv/a",
        ),
        ((LS,), op("env", name="PATH"), "no rule allows env"),
        (("e allow {kinds: env, environment: A}",), op("env", name="PATH"), "no rule allows env of PATH"),
        (
            ("f allow {kinds: forward, destinations: 'a:1'}",),
            op("forward_local", destination="b:1"),
            "no rule allows forward_local of b:1; rule f allows: a:1",
        ),
        ((EVERY,), op("agent"), NO_AGENT),
        ((EVERY, NO_RM), run("rm x"), "denied by rule no"),
        ((EVERY, NO_RM + ", reason: Ask Ann."), run("rm x"), "Ask Ann."),
        ((EVERY, ASKED), run("rm x"), "a human must approve it: rule asked"),
        (
            ("l allow {kinds: exec, commands: [a, b, c, d, e, f]}",),
            run("x"),
            "no rule allows exec of x; rule l allows: a, b, c, d, e …",
        ),
    ],
)
def test_reasons(lines: tuple[str, ...], operation: Operation, reason: str) -> None:
    assert ask(rules(*lines), operation).reason == reason


SQL_RULES = ("read allow {kinds: select}", "any allow {kinds: any, relations: '*'}", "no deny {relations: secret.*}")


@pytest.mark.parametrize("line", SQL_RULES)
def test_rules_about_sql_say_nothing_of_ssh(line: str) -> None:
    assert ask(rules(line), op("shell")).verdict is Verdict.DENY
    assert ask(rules(EVERY, "no deny {relations: secret.*}"), op("shell")).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "line", [LS, FILES, "s allow {kinds: any, logins: '*'}", "s allow {kinds: [shell, exec], commands: '**'}"]
)
def test_rules_about_ssh_say_nothing_of_sql(line: str) -> None:
    asked = analysis(statement("select", reads="a.b"))
    assert decide(rules(line), frozenset(), "host", asked, (), harmless).verdict is Verdict.DENY
    denying = rules(
        "read allow {kinds: select}", "no deny {paths: /**}", "nobody deny {logins: '*'}", "x deny {kinds: exec}"
    )
    assert decide(denying, frozenset(), "host", asked, (), harmless).verdict is Verdict.ALLOW


def test_any_is_all_that_the_target_speaks() -> None:
    asked = analysis(statement("drop", writes="a.b"))
    assert decide(rules(EVERY), frozenset(), "host", asked, (), harmless).verdict is Verdict.ALLOW
    assert ask(rules(EVERY), op("shell")).verdict is Verdict.ALLOW
    assert ask(rules(EVERY, "no deny {kinds: any}"), op("shell")).verdict is Verdict.DENY


def test_no_word_means_something_in_both() -> None:
    assert KIND_WORDS.keys() & SSH_WORDS.keys() == {"any"}
    assert not {kind.value for kind in Kind} & {kind.value for kind in SshKind}
    grouped = [kind for group in SSH_GROUPS.values() for kind in group]
    assert len(grouped) == len(set(grouped))


def test_rules_for_other_actors_and_targets_do_not_count() -> None:
    policy = policy_of(
        f"targets: [{HOST}]\ncredentials: [{OWN}]\nrules:\n"
        "  - {name: a, actors: [ci], targets: host, allow: {kinds: shell}}\n"
        "  - {name: b, actors: '*', targets: other, allow: {kinds: any}}\n"
    )
    assert decide_operation(policy, frozenset({"ci"}), "host", op("shell")).rule == "a"
    assert decide_operation(policy, frozenset({"web"}), "host", op("shell")).verdict is Verdict.DENY


CONDITIONS = st.sampled_from(
    [
        "{kinds: any}",
        "{kinds: any, unparsed: true}",
        "{kinds: exec, commands: [a, 'b **']}",
        "{kinds: exec, commands: '**', redirections: /x/**}",
        "{kinds: [file_read, file_write], paths: [/a/**, '~/b']}",
        "{kinds: file_read, logins: '*'}",
        "{kinds: git, paths: /a/*, logins: [deploy, root]}",
        "{kinds: interactive, logins: root}",
    ]
)
LINES = st.lists(st.tuples(st.sampled_from(["allow", "deny", "approve", "observe"]), CONDITIONS), max_size=4)
OPERATIONS = st.one_of(
    st.builds(run, st.sampled_from(["a", "b x", "a; b", "a >/x/y", "c", "a $x", "scp -t /a", "git-upload-pack /a/b"])),
    st.builds(op, st.sampled_from(list(SshKind)), st.sampled_from(["/a", "/a/b", "b", "../c", "."])),
    st.builds(op, st.sampled_from(["shell", "sftp_read"]), login=st.sampled_from(["root", "deploy", "x"])),
)
RANK = {Verdict.ALLOW: 0, Verdict.OBSERVE: 1, Verdict.APPROVE: 2, Verdict.DENY: 3}


def made(lines: list[tuple[str, str]]) -> Policy:
    return rules(*(f"r{i} {effect} {conditions}" for i, (effect, conditions) in enumerate(lines)))


@given(LINES, CONDITIONS, OPERATIONS)
def test_a_deny_rule_more_never_allows_more(lines: list[tuple[str, str]], deny: str, asked: Operation) -> None:
    before, after = ask(made(lines), asked), ask(made([*lines, ("deny", deny)]), asked)
    assert RANK[after.verdict] >= RANK[before.verdict]


@given(CONDITIONS, OPERATIONS)
def test_what_an_allow_covers_the_same_deny_hits(conditions: str, asked: Operation) -> None:
    if asked.kind is SshKind.SUBSYSTEM or asked.paths == (".",):
        return  # what goes along with others is not of their kinds
    for wider in (", unparsed: true", ", redirections: /x/**"):  # they make an allow wider, and a deny narrower
        conditions = conditions.replace(wider, "")
    if ask(rules(f"r allow {conditions}"), asked).verdict is Verdict.ALLOW:
        assert ask(rules(EVERY, f"r deny {conditions}"), asked).verdict is Verdict.DENY


@given(LINES, OPERATIONS)
def test_without_an_allow_nothing_goes_through(lines: list[tuple[str, str]], asked: Operation) -> None:
    denies = [("deny", conditions) for _, conditions in lines]
    assert ask(made(denies), asked).verdict is Verdict.DENY


@given(LINES, OPERATIONS)
def test_every_denial_has_a_reason(lines: list[tuple[str, str]], asked: Operation) -> None:
    ruling = ask(made(lines), asked)
    assert ruling.reason or ruling.verdict is Verdict.ALLOW
