"""Patterns of commands, paths and destinations: what an allow covers, and what a deny hits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.policy.commands import CommandPattern, check_command
from hostagent.policy.remote import (
    check_destination,
    check_remote_path,
    covers_path,
    hits_path,
    matches_destination,
    repositories,
)
from hostagent.ssh.shell import parse

# pattern, command, whether an allow covers it, whether a deny hits it
COMMANDS = [
    ("ls", "ls", True, True),
    ("ls", "ls x", False, False),
    ("ls", "/bin/ls", False, True),
    ("/bin/ls", "/bin/ls", True, True),
    ("/bin/ls", "ls", False, False),
    ("systemctl status *", "systemctl status nginx", True, True),
    ("systemctl status *", "systemctl status", False, False),
    ("systemctl status *", "systemctl status a b", False, False),
    ("systemctl status *", "systemctl status --host=x", False, True),
    ("systemctl status *", "systemctl status ''", False, True),
    ("systemctl status *", "systemctl restart nginx", False, False),
    ("ls **", "ls", True, True),
    ("ls **", "ls -l /x", True, True),
    ("ls **", "lsof", False, False),
    ("git log ** ", "git log -p", True, True),
    ("git log **", "git -c x log", False, False),
    ("**", "anything at -all", True, True),
    ("grep -F -- * *", "grep -F -- x y", True, True),
    ("grep -F -- * *", "grep -F -e x y", False, False),
    ("journalctl --since=*", "journalctl --since=2024-01-01", True, True),
    ("journalctl --since=*", "journalctl --since=", False, True),
    ("journalctl --since=*", "journalctl --since", False, False),
    ("tool --out=*", "tool --out=/etc/x", False, True),
    ("tool --out=*", "tool --out=..", False, True),
    ("tool --out=/srv/**", "tool --out=/srv/a/b", True, True),
    ("tool --out=/srv/**", "tool --out=/srv/../etc", False, True),
    ("cat /var/log/*", "cat /var/log/x", True, True),
    ("cat /var/log/*", "cat /var/log/x/y", False, True),
    ("cat /var/log/*", "cat /var/log/..", False, True),
    ("cat /var/log/*", "cat /var/log/.", False, True),
    ("cat /var/log/*", "cat /var/log/", False, True),
    ("cat /var/log/*.log", "cat /var/log/a.log", True, True),
    ("cat /var/log/*.log", "cat /var/log/a.log.gz", False, False),
    ("cat /var/log/**", "cat /var/log/a/b", True, True),
    ("cat /var/log/**", "cat /var/log/a/../../x", False, True),
    ("cat /var/log/**", "cat /var/log//x", False, True),
    ("cat /var/**/x", "cat /var/a/b/x", True, True),
    ("cat *.log", "cat a.log", True, True),
    ("cat *.log", "cat -a.log", False, True),
    ("cat *.log", "cat a/b.log", False, True),
    ("echo 'a b' '*'", "echo 'a b' '*'", True, True),
    ("echo 'a b' '*'", "echo 'a b' x", False, False),
    ("echo '[a]'*", "echo '[a]x'", True, True),
    ("echo '[a]'*", "echo ax", False, False),
    ("echo *", "echo 'a\nb'", True, True),
]


@pytest.mark.parametrize(("pattern", "command", "covered", "hit"), COMMANDS)
def test_commands(pattern: str, command: str, covered: bool, hit: bool) -> None:
    ready = CommandPattern.of(check_command(pattern))
    (argv,) = parse(command).commands
    assert (ready.covers(argv), ready.hits(argv)) == (covered, hit)


WORDS = st.lists(st.text("ab-/.*=", min_size=1, max_size=4), min_size=1, max_size=4)


@given(WORDS, WORDS)
def test_a_deny_hits_whatever_the_same_allow_covers(pattern: list[str], argv: list[str]) -> None:
    try:
        ready = CommandPattern.of(check_command(" ".join(pattern)))
    except ValueError:
        return
    if ready.covers(tuple(argv)):
        assert ready.hits(tuple(argv))


@given(WORDS)
def test_a_star_takes_no_option_and_no_step_upwards(argv: list[str]) -> None:
    for pattern in ("p *", "p */*", "p /a/**", "p *a*", "p /a/*/b"):
        if CommandPattern.of(pattern).covers(("p", *argv)):
            assert len(argv) == 1 and not argv[0].startswith("-")
            assert pattern == "p *" or ".." not in argv[0].split("/")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "there is no command"),
        ("a; b", "a pattern is one command"),
        ("a | b", "a pattern is one command"),
        ("a >b", "a pattern is one command"),
        ("a $b", "`$`"),
        ("a b?", "`?`"),
        ("a [bc]", "`[`"),
        ("*", "the program is written out"),
        ("*/ls", "the program is written out"),
        ("** a", "the program is written out"),
        ("a ** b", "`**` is the last word"),
        ("a b**", "`**` is the last word"),
        ("a /b/c**", "`**` is the last word"),
        ("x=1 a", "not with an assignment"),
        ("eval *", "the shell's own word"),
        ("a " * 3000, "at most 4096 characters"),
    ],
)
def test_what_is_no_pattern_of_commands(pattern: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_command(pattern)
    assert why in str(caught.value)


# pattern, path, whether an allow covers the path alone, and with all below
COVERED = [
    ("/srv/a", "/srv/a", True, False),
    ("/srv/a", "/srv/a/b", False, False),
    ("/srv/*", "/srv/a", True, False),
    ("/srv/*", "/srv/a/b", False, False),
    ("/srv/**", "/srv", True, True),
    ("/srv/**", "/srv/a/b", True, True),
    ("/srv/**", "/srvx", False, False),
    ("/srv/**/x", "/srv/a/x", True, False),
    ("/**", "/", True, True),
    ("/**", "a", False, False),
    ("~/**", "a/b", True, True),
    ("~/**", ".", True, True),
    ("~", ".", True, False),
    ("~/a", "a", True, False),
    ("~/a", "/home/ann/a", False, False),
    ("~/**", "/home/ann/a", False, False),
    ("~/**", "../a", False, False),
    ("/**", "../a", False, False),
    ("~/**", "~bob/a", False, False),
]


@pytest.mark.parametrize(("pattern", "path", "alone", "with_all"), COVERED)
def test_paths_that_an_allow_covers(pattern: str, path: str, alone: bool, with_all: bool) -> None:
    check_remote_path(pattern)
    assert covers_path(pattern, path, below=False) is alone
    assert covers_path(pattern, path, below=True) is with_all


HIT = [
    ("/srv/a", "/srv/a", True, True),
    ("/srv/a", "/srv", False, True),
    ("/srv/a", "/", False, True),
    ("/srv/a", "/srv/b", False, False),
    ("/srv/*/x", "/srv/a", False, True),
    ("/srv/**", "/srv/a", True, True),
    ("/srv/**", "/", False, True),
    ("~/.ssh/**", ".ssh/id", True, True),
    ("~/.ssh/**", ".", False, True),
    ("~/.ssh/**", "/home/ann/.ssh/id", True, True),
    ("~/.ssh/**", "/var/lib/x/.ssh", True, True),
    ("~/.ssh/**", "/home", False, True),
    ("~/.ssh/**", "/home/ann", False, True),
    ("~/.ssh/**", "/root", False, True),
    ("~/.ssh/**", "/home/bob", False, False),
    ("~/.ssh/**", "/srv", False, False),
    ("/home/ann/.ssh/**", ".ssh/id", True, True),
    ("/home/*/.ssh/**", ".ssh/id", True, True),
    ("/opt/x/.ssh/**", ".ssh/id", True, True),
    ("/etc/**", "a", False, False),
    ("/home/**", "a", True, True),
    ("/root/a", "a", True, True),
    ("/etc/**", "../../etc/x", True, True),
    ("/etc/**", "~bob/x", True, True),
]


@pytest.mark.parametrize(("pattern", "path", "alone", "with_all"), HIT)
def test_paths_that_a_deny_hits(pattern: str, path: str, alone: bool, with_all: bool) -> None:
    assert hits_path(pattern, path, below=False, login="ann") is alone
    assert hits_path(pattern, path, below=True, login="ann") is with_all


SEGMENTS = st.lists(st.sampled_from(["a", "b", "*", "**", "a*"]), min_size=1, max_size=4).map("/".join)
PLACES = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=4).map("/".join)


@given(st.sampled_from(["/", "~/"]), SEGMENTS, st.booleans(), PLACES, st.booleans())
def test_a_deny_hits_what_the_same_allow_covers(root: str, ends: str, rooted: bool, place: str, below: bool) -> None:
    pattern, path = root + ends, f"/{place}" if rooted else place or "."
    if covers_path(pattern, path, below=below):
        assert hits_path(pattern, path, below=below, login="ann")


@given(SEGMENTS, PLACES, PLACES)
def test_all_below_is_hit_where_one_thing_below_is(ends: str, place: str, more: str) -> None:
    pattern, path = f"/{ends}", f"/{place}" if place else "/"
    inside = "/" + "/".join(filter(None, (place, more)))
    if hits_path(pattern, inside, below=False, login="ann"):
        assert hits_path(pattern, path, below=True, login="ann")
    if covers_path(pattern, path, below=True):
        assert covers_path(pattern, inside, below=False)


@pytest.mark.parametrize("pattern", ["", "a", "./a", "/a/../b", "~/../a", "~bob/a", "/a/", "/a//b", "/a**", "/[a]"])
def test_what_is_no_pattern_of_paths(pattern: str) -> None:
    with pytest.raises(ValueError):
        check_remote_path(pattern)


def test_where_git_looks() -> None:
    assert "/srv/x.git" in repositories("/srv/x")
    assert "/srv/x" in repositories("/srv/x.git")
    assert "/srv/x.git/.git" in repositories("/srv/x")
    assert repositories("/.git")[0] == "/.git"


DESTINATIONS = [
    ("db.internal:5432", "db.internal:5432", True),
    ("db.internal:5432", "DB.internal.:5432", True),
    ("db.internal:5432", "db.internal:5433", False),
    ("db.internal:5432", "xdb.internal:5432", False),
    ("db.internal:*", "db.internal:1", True),
    ("*.internal:5432", "db.internal:5432", True),
    ("*.internal:5432", "a.b.internal:5432", True),
    ("*.internal:5432", "internal:5432", False),
    ("*.internal:5432", "evil-internal:5432", False),
    ("*:22", "anything:22", True),
    ("*:22", "[::1]:22", True),
    ("10.0.0.0/8:22", "10.1.2.3:22", True),
    ("10.0.0.0/8:22", "11.1.2.3:22", False),
    ("10.0.0.0/8:22", "10.1.2.3.evil.example:22", False),
    ("10.0.0.5:22", "10.0.0.5:22", True),
    ("[::1]:22", "[0:0::1]:22", True),
    ("[::1]:22", "::1:22", True),
    ("[2001:db8::/32]:22", "[2001:db8::7]:22", True),
    ("localhost:8080", ":8080", False),
]


@pytest.mark.parametrize(("pattern", "destination", "matched"), DESTINATIONS)
def test_destinations(pattern: str, destination: str, matched: bool) -> None:
    assert matches_destination(check_destination(pattern), destination) is matched


@pytest.mark.parametrize(
    "pattern",
    ["", "db", "db:", ":22", "db:0", "db:65536", "db:x", "d*b:22", "10.0.*:22", "10.0.0.1/8:22", "*.*:1", "é:1"],
)
def test_what_is_no_destination(pattern: str) -> None:
    with pytest.raises(ValueError):
        check_destination(pattern)
