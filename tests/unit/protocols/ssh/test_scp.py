"""ScpGuard: what is decided, what the two ends are told, and who speaks out of turn."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.errors import PeerError
from hostagent.protocols.ssh.scp import HELD_BYTES, MAX_DEPTH, ScpGuard
from hostagent.protocols.ssh.scp_records import below, invocation, tidy

OK = b"\0"


def sink(*words: str) -> ScpGuard:
    """A server that writes and is ready."""
    guard = ScpGuard("ci", words or ("scp", "-t", "/srv/in/"))
    guard.server_data(OK)
    assert taken(guard) == (OK, b"")
    return guard


def source(*words: str) -> ScpGuard:
    """A server that reads, its client ready."""
    guard = ScpGuard("ci", words or ("scp", "-f", "/srv/in/a"))
    guard.client_data(OK)
    assert taken(guard) == (b"", OK)
    return guard


def taken(guard: ScpGuard) -> tuple[bytes, bytes]:
    both = b"".join(guard.to_client), b"".join(guard.to_server)
    guard.to_client.clear()
    guard.to_server.clear()
    return both


def answer(guard: ScpGuard, allowed: bool) -> tuple[str, ...]:
    ((token, operation),) = guard.asked
    guard.asked.clear()
    guard.decided(token, allowed, "not yours (decision f00-1.1)")
    return (operation.kind.value, *operation.paths)


def test_a_file_goes_up() -> None:
    guard = sink()
    guard.client_data(b"C0644 5 a\n")
    assert taken(guard) == (b"", b"") and answer(guard, True) == ("scp_write", "/srv/in/a")
    assert taken(guard) == (b"", b"C0644 5 a\n")
    guard.server_data(OK)
    guard.client_data(b"hel")
    guard.client_data(b"lo\0")
    assert taken(guard) == (OK, b"hello\0") and not guard.finished
    guard.server_data(OK)
    assert taken(guard) == (OK, b"")
    (transfer,) = guard.finished
    assert (transfer.path, transfer.direction, transfer.bytes, transfer.complete) == ("/srv/in/a", "write", 5, True)
    assert transfer.sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_a_denied_file_is_told_and_the_next_goes_on() -> None:
    guard = sink()
    guard.client_data(b"C0644 5 a\n")
    answer(guard, False)
    assert taken(guard) == (b"\x01scp: a: not yours (decision f00-1.1)\n", b"")
    guard.client_data(b"C0600 0 b\n")
    assert answer(guard, True) == ("scp_write", "/srv/in/b") and not guard.ended


def test_a_denied_download_is_told_to_both() -> None:
    guard = source()
    guard.server_data(b"C0644 6 a\n")
    assert answer(guard, False) == ("scp_read", "/srv/in/a")
    told = b"\x01scp: a: not yours (decision f00-1.1)\n"
    assert taken(guard) == (told, told)


def test_directories_are_decided_and_names_stand_below_them() -> None:
    guard = sink("scp", "-rp", "-t", "--", "/srv/in/.")
    guard.client_data(b"T1 0 2 0\n")
    guard.server_data(OK)
    for record, path in (
        (b"D0755 0 d\n", "/srv/in/d"),
        (b"D0755 0 e\n", "/srv/in/d/e"),
        (b"C0644 0 f\n", "/srv/in/d/e/f"),
    ):
        guard.client_data(record)
        assert answer(guard, True) == ("scp_write", path)
        guard.server_data(OK)
    guard.client_data(OK)
    guard.server_data(OK)
    for _ in range(2):
        guard.client_data(b"E\n")
        guard.server_data(OK)
    guard.client_data(b"C0644 0 g\n")
    assert answer(guard, True) == ("scp_write", "/srv/in/g")
    with pytest.raises(PeerError, match="has not begun"):
        guard.server_data(OK)
        guard.client_data(OK)
        guard.server_data(OK)
        guard.client_data(b"E\n")


def test_where_the_target_may_be_a_directory_or_not_both_are_decided() -> None:
    guard = sink("scp", "-t", "/srv/in")
    guard.client_data(b"D0755 0 d\n")
    assert answer(guard, True) == ("scp_write", "/srv/in", "/srv/in/d")
    guard.server_data(OK)
    guard.client_data(b"C0644 0 f\n")
    assert answer(guard, True) == ("scp_write", "/srv/in/f", "/srv/in/d/f")
    directory = sink("scp", "-d", "-t", "/srv/in")
    directory.client_data(b"C0644 0 f\n")
    assert answer(directory, True) == ("scp_write", "/srv/in/f")


def test_a_download_gives_what_was_asked_for() -> None:
    guard = source("scp", "-r", "-f", "/srv/in/a/", "/srv/out/a", "b")
    guard.server_data(b"D0755 0 a\n")
    assert answer(guard, True) == ("scp_read", "/srv/in/a", "/srv/out/a")
    guard.client_data(OK)
    guard.server_data(b"C0644 1 x\n")
    assert answer(guard, False) == ("scp_read", "/srv/in/a/x", "/srv/out/a/x")
    other = source("scp", "-f", "/srv/in/a")
    other.server_data(b"C0644 1 .bashrc\n")
    assert not other.asked and b"not what was asked for" in taken(other)[0]


@pytest.mark.parametrize(
    "record",
    [b"C0644 5 ..\n", b"C0644 5 .\n", b"C0644 5 a/b\n", b"C0644 5 \n", b"D0755 1 d\n", b"C644 5 a\n", b"C0644 -5 a\n",
     b"C0644 5 a\0b\n", b"C0644 99999999999999999999 a\n", b"X\n", b"\n", b"C0644 5 \xff\n", b"x" * 3000, b"T1 0 2\n"],
)  # fmt: skip
def test_a_record_that_is_none_ends_the_session(record: bytes) -> None:
    for guard, say in ((up := sink(), up.client_data), (down := source(), down.server_data)):
        with pytest.raises(PeerError):
            say(record)
        assert taken(guard) == (b"", b"") and not guard.asked


def test_a_server_that_answers_out_of_turn_ends_the_session() -> None:
    for said in (b"", b"C0644 5 a\n"):
        guard = sink()
        guard.client_data(said)
        with pytest.raises(PeerError, match="not said"):
            guard.server_data(OK)
    guard = sink()
    guard.server_data(b"\x02gone\n")
    assert taken(guard) == (b"\x02gone\n", b"") and guard.ended
    guard.client_data(b"C0644 5 a\n")
    assert not guard.asked


def test_data_do_not_go_on_when_the_sink_refuses_the_file() -> None:
    guard = sink()
    guard.client_data(b"C0644 30 a\n")
    answer(guard, True)
    guard.server_data(b"\x01scp: a: Permission denied\n")
    taken(guard)
    guard.client_data(b"C0644 5 b\n")
    assert taken(guard) == (b"", b"") and answer(guard, False) == ("scp_write", "/srv/in/b")


def test_an_error_after_the_data_ends_the_session() -> None:
    guard = sink()
    guard.client_data(b"C0644 1 a\n")
    answer(guard, True)
    guard.server_data(OK)
    guard.client_data(b"x\0")
    guard.server_data(b"\x01scp: a: set times\n")
    assert guard.ended and [t.complete for t in guard.finished] == [False]


def test_a_source_that_cannot_read_all_says_so() -> None:
    guard = source()
    guard.server_data(b"C0644 2 a\n")
    answer(guard, True)
    guard.client_data(OK)
    guard.server_data(b"\0\0\x01scp: a: Input/output error\n")
    guard.client_data(OK)
    assert [t.complete for t in guard.finished] == [False] and not guard.ended


def test_what_comes_too_early_is_bounded() -> None:
    guard = sink()
    guard.client_data(b"C0644 5 a\n")
    guard.client_data(bytes(HELD_BYTES))
    assert guard.client_held
    with pytest.raises(PeerError, match="out of turn"):
        guard.client_data(bytes(4 * HELD_BYTES))


def test_many_denied_records_at_once_and_deep_directories() -> None:
    guard = source("scp", "-rf", "/srv/a")
    guard.server_data(b"C0644 5 b\n" * 5000)
    assert not guard.asked
    guard = sink()
    with pytest.raises(PeerError, match="deep"):
        for _ in range(MAX_DEPTH + 1):
            guard.client_data(b"D0755 0 d\n")
            answer(guard, True)
            guard.server_data(OK)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("scp",),
        ("scp", "-t"),
        ("scp", "-t", "a", "b"),
        ("scp", "-tf", "a"),
        ("scp", "-t", "-x", "a"),
        ("scp", "a", "b"),
        ("scp", "-S", "prog", "-t", "a"),
        ("ls", "-t", "a"),
        ("scp", "-f", "--"),
    ],
)
def test_an_argv_that_is_not_understood_is_not_run(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="scp"):
        invocation(words)


def test_argvs_that_are_understood() -> None:
    assert invocation(("/usr/bin/scp", "-v", "-rpd", "-t", "--", "-x")).paths == ("-x",)
    assert invocation(("scp", "-q", "-f", "a", "b")).paths == ("a", "b")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a//b/./c/", "/a/b/c"),
        ("/../..", "/"),
        ("/../b", "/b"),
        ("./", ""),
        ("../../x", "../../x"),
        ("", ""),
    ],
)
def test_tidy(path: str, expected: str) -> None:
    assert tidy(path) == expected


def test_below() -> None:
    assert (below("/", "a"), below("", "a"), below("/x", "a"), below("..", "a")) == ("/a", "a", "/x/a", "../a")


SAID = st.lists(
    st.sampled_from(
        [OK, b"C0644 3 a\n", b"D0755 0 d\n", b"E\n", b"T1 0 2 0\n", b"abc", b"\x01no\n", b"\x02no\n", b"\n"]
    )
    | st.binary(max_size=8),
    max_size=12,
)


@given(SAID, SAID, st.lists(st.booleans(), max_size=24), st.booleans())
@settings(max_examples=300, deadline=None)
def test_nothing_undecided_goes_on_whatever_both_sides_say(
    client: list[bytes], server: list[bytes], order: list[bool], up: bool
) -> None:
    guard = ScpGuard("ci", ("scp", "-r", "-t" if up else "-f", "/srv/a"))
    try:
        for from_client in (*order, *([True] * 12), *([False] * 12)):
            said = client if from_client else server
            if said:
                (guard.client_data if from_client else guard.server_data)(said.pop(0))
            if guard.asked:
                answer(guard, False)
    except PeerError:
        pass
    guard.closed()
    lines = b"".join(guard.to_server if up else guard.to_client).split(b"\n")
    assert not [line for line in lines if line[:1] in (b"C", b"D", b"a")] and not guard.finished


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11])
def test_splitting_changes_nothing(size: int) -> None:
    guard = ScpGuard("ci", ("scp", "-rt", "/srv/"))
    turns = (
        (guard.server_data, OK),
        (guard.client_data, b"T1 0 2 0\n"),
        (guard.server_data, OK),
        (guard.client_data, b"C0644 9 a\n"),
        (guard.server_data, OK),
        (guard.client_data, b"C0644 9 b" + OK),
        (guard.server_data, OK),
        (guard.client_data, b"D0755 0 d\n"),
        (guard.server_data, b"\x01scp: d: no\n"),
        (guard.client_data, b"\x01lost\n"),
    )
    for say, what in turns:
        for start in range(0, len(what), size):
            say(what[start : start + size])
        if guard.asked:
            answer(guard, True)
    assert taken(guard) == (
        OK * 4 + b"\x01scp: d: no\n",
        b"T1 0 2 0\nC0644 9 a\nC0644 9 b" + OK + b"D0755 0 d\n\x01lost\n",
    )
    assert [(t.path, t.bytes, t.complete) for t in guard.finished] == [("/srv/a", 9, True)]
