"""Ways around a policy that allows some commands, each beside what it is meant to look like; others import them."""

from __future__ import annotations

import pytest

from hostagent.policy.model import Policy, PolicyFile
from hostagent.policy.ssh import decide_operation
from hostagent.policy.yaml import model_of
from hostagent.ssh.exec import operations_of_exec

LOGIN = "deploy"
RULES = """
rules:
  - name: looks
    actors: "*"
    targets: "*"
    allow:
      kinds: [exec, file_read, git_fetch]
      logins: deploy
      commands: [ls **, "cat /srv/data/*", git status, git log *, grep -F *, "echo *", "true", "sh /srv/bin/report.sh"]
      paths: [/srv/data/**, /srv/git/*.git]
"""

# name, command line, what policy says of it
EVASIONS: list[tuple[str, str, str]] = [
    ("what is allowed", "ls -l /srv/data", "allow"),
    ("joined by && and |", "ls /srv/data && ls /srv | grep -F report", "allow"),
    ("errors thrown away", "ls /srv/data 2>/dev/null", "allow"),
    ("quoted in its arguments", "ls 'a b' \"c d\" e\\ f", "allow"),
    ("a command that is not", "id", "deny"),
    ("a second command", "ls; id", "deny"),
    ("a second command after &&", "ls && id", "deny"),
    ("a second command after ||", "ls || id", "deny"),
    ("a second command on a second line", "ls\nid", "deny"),
    ("a second command after a carriage return", "ls\rid", "deny"),
    ("a second command in the background", "id & ls", "deny"),
    ("a pipe into a shell", "echo aWQK | base64 -d | sh", "deny"),
    ("a pipe into a shell that is named otherwise", "echo id | /bin/busybox sh", "deny"),
    ("a shell with a command", "sh -c id", "deny"),
    ("a shell with a command, by its path", "/bin/sh -c id", "deny"),
    ("a script that is allowed", "sh /srv/bin/report.sh", "allow"),
    ("a script that is allowed, and an argument", "sh /srv/bin/report.sh x", "deny"),
    ("a script beside it", "sh /srv/bin/../../tmp/report.sh", "deny"),
    ("command substitution", "ls $(id)", "deny"),
    ("command substitution in quotes", 'ls "$(id)"', "deny"),
    ("command substitution that stays text", "ls '$(id)'", "allow"),
    ("backticks", "ls `id`", "deny"),
    ("backticks in quotes", 'ls "`id`"', "deny"),
    ("process substitution", "ls <(id)", "deny"),
    ("arithmetic", "ls $((1+1))", "deny"),
    ("a variable for a blank", "sh${IFS}-c${IFS}id", "deny"),
    ("a variable for a command", "$SHELL", "deny"),
    ("ANSI quoting", "ls $'\\x3bid'", "deny"),
    ("braces for blanks", "{sh,-c,id}", "deny"),
    ("a glob for a program", "/bin/i?", "deny"),
    ("a glob for an argument", "ls /root/*", "deny"),
    ("a glob in quotes", "ls '/root/*'", "allow"),
    ("quotes inside a name", "i''d", "deny"),
    ("quotes inside a name that is allowed", "l''s", "allow"),
    ("a backslash in a name", "i\\d", "deny"),
    ("a backslash in a name that is allowed", "l\\s", "allow"),
    ("a name in quotes", "'id'", "deny"),
    ("a line that goes on", "l\\\ns", "deny"),
    ("an alias", "alias ls=id; ls", "deny"),
    ("an alias on a line before", "alias ls=id\nls", "deny"),
    ("a function", "ls() { id; }; ls", "deny"),
    ("a function, as bash has it", "function ls { id; }; ls", "deny"),
    ("eval", "eval id", "deny"),
    ("exec", "exec id", "deny"),
    ("command", "command id", "deny"),
    ("builtin", "builtin eval id", "deny"),
    ("the dot", ". /tmp/x", "deny"),
    ("source", "source /tmp/x", "deny"),
    ("a trap", "trap id EXIT; ls", "deny"),
    ("a here-document", "sh <<EOF\nid\nEOF", "deny"),
    ("a here-string", "sh <<< id", "deny"),
    ("an assignment before", "PATH=/tmp ls", "deny"),
    ("an assignment by itself", "PATH=/tmp; ls", "deny"),
    ("an assignment by export", "export PATH=/tmp; ls", "deny"),
    ("an assignment by env", "env PATH=/tmp ls", "deny"),
    ("an assignment that is an argument", "ls PATH=/tmp", "allow"),
    ("LD_PRELOAD", "LD_PRELOAD=/tmp/x.so ls", "deny"),
    ("a subshell", "(id)", "deny"),
    ("a group", "{ id; }", "deny"),
    ("a condition", "if true; then id; fi", "deny"),
    ("a loop", "while true; do id; done", "deny"),
    ("a negation", "! id", "deny"),
    ("a coprocess", "coproc id", "deny"),
    ("time", "time id", "deny"),
    ("sudo", "sudo ls", "deny"),
    ("nohup", "nohup ls", "deny"),
    ("xargs", "ls | xargs id", "deny"),
    ("find", "find / -exec id ;", "deny"),
    ("perl", "perl -e 'exec q(id)'", "deny"),
    ("python", "python3 -c 'import os; os.system(\"id\")'", "deny"),
    ("the same name elsewhere", "/tmp/ls", "deny"),
    ("the same name here", "./ls", "deny"),
    ("an option that runs a program", "git -c core.sshCommand=id status", "deny"),
    ("the command without it", "git status", "allow"),
    ("an option where an argument is allowed", "git log --output=/tmp/x", "deny"),
    ("an argument there", "git log main", "allow"),
    ("a file elsewhere", "cat /etc/shadow", "deny"),
    ("a file elsewhere, by ..", "cat /srv/data/../../etc/shadow", "deny"),
    ("a file below, by a pattern of one name", "cat /srv/data/a/b", "deny"),
    ("a file that is allowed", "cat /srv/data/a", "allow"),
    ("two files", "cat /srv/data/a /etc/shadow", "deny"),
    ("what is written to a file", "echo x > /etc/cron.d/x", "deny"),
    ("what is added to a file", "echo x >> .bashrc", "deny"),
    ("what is written by another descriptor", "ls 3>/etc/cron.d/x", "deny"),
    ("what is written over", "echo x >| /etc/cron.d/x", "deny"),
    ("what is read from a file", "grep -F root < /etc/shadow", "deny"),
    ("a network connection of bash", "echo x > /dev/tcp/192.0.2.1/80", "deny"),
    ("both outputs, as bash has it", "ls &> /tmp/x", "deny"),
    ("the history", "!!", "deny"),
    ("the history in quotes", 'ls "!!"', "deny"),
    ("a comment that hides the rest", "ls # && id", "deny"),
    ("the home", "ls ~root", "deny"),
    ("a blank that is none", "ls\u00a0id", "deny"),
    ("letters that look alike", "l\u0455 /srv/data", "deny"),
    ("a direction that hides", "ls '\u202edi;'", "deny"),
    ("a control sequence", "ls '\x1b[2Jid'", "deny"),
    ("a NUL", "ls\0id", "deny"),
    ("what is no UTF-8", "ls \udcff", "deny"),
    ("an encoding that eats a backslash", 'ls "\u8868\\\\" id', "deny"),
    ("a quote that is not closed", "ls 'x", "deny"),
    ("a test that evaluates", "[ -v 'a[$(id)]' ]", "deny"),
    ("a printf that evaluates", "printf -v 'a[$(id)]' x", "deny"),
    ("a job that runs", "jobs -x id", "deny"),
    ("an option of the shell", "+o posix ls", "deny"),
    ("nothing", "", "deny"),
    ("scp from what is allowed", "scp -f /srv/data/a", "allow"),
    ("scp from elsewhere", "scp -f /etc/shadow", "deny"),
    ("scp from elsewhere, by ..", "scp -f /srv/data/../../etc/shadow", "deny"),
    ("scp to what may be read", "scp -t /srv/data/a", "deny"),
    ("scp through another program", "scp -S /tmp/x -f /srv/data/a", "deny"),
    ("scp of all, where part is allowed", "scp -r -f /srv", "deny"),
    ("rsync from what is allowed", "rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/data", "allow"),
    ("rsync of more", "rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/data /etc", "deny"),
    ("rsync that writes", "rsync --server -vlogDtpre.iLsfxCIvu . /srv/data", "deny"),
    ("rsync that says later what it reads", "rsync --server --sender -vlogDtpre.iLsfxCIvu -s", "deny"),
    ("rsync that writes a log", "rsync --server --sender -lr --log-file=/tmp/x . /srv/data", "deny"),
    ("rsync that removes what it read", "rsync --server --sender -lr --remove-source-files . /srv/data", "deny"),
    ("git from what is allowed", "git-upload-pack '/srv/git/a.git'", "allow"),
    ("git from what is allowed, as a subcommand", "git upload-pack '/srv/git/a.git'", "allow"),
    ("git from elsewhere", "git-upload-pack '/root/a.git'", "deny"),
    ("git from elsewhere, by ..", "git-upload-pack '/srv/git/../../root/a.git'", "deny"),
    ("git from another home", "git-upload-pack '~root/a.git'", "deny"),
    ("git that pushes", "git-receive-pack '/srv/git/a.git'", "deny"),
    ("git with an option", "git-upload-pack --help '/srv/git/a.git'", "deny"),
    ("git and more", "git-upload-pack '/srv/git/a.git'; id", "deny"),
]


def policy() -> Policy:
    """The policy that the table is about."""
    return Policy.of(model_of("version: 1" + RULES, "rules.yaml", PolicyFile)[0])


@pytest.mark.parametrize(("name", "command", "expected"), EVASIONS, ids=[name for name, _, _ in EVASIONS])
def test_evasions(name: str, command: str, expected: str) -> None:
    (operation,) = operations_of_exec(command, LOGIN)
    ruling = decide_operation(policy(), frozenset(), "host", operation)
    assert ruling.verdict.value == expected, (name, command, ruling.reason)
    if expected == "deny":
        assert len(ruling.reason) > len("no rule allows")


def test_what_is_named_twice_says_nothing() -> None:
    assert len({name for name, _, _ in EVASIONS}) == len(EVASIONS)


@pytest.mark.parametrize(("name", "command", "expected"), [e for e in EVASIONS if e[2] == "allow"])
def test_another_login_may_do_none_of_it(name: str, command: str, expected: str) -> None:
    (operation,) = operations_of_exec(command, "root")
    assert decide_operation(policy(), frozenset(), "host", operation).verdict.value == "deny"
