"""SftpGuard before a made-up server: what is asked, what goes on, what is refused, and what became of files."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.errors import PeerError
from hostagent.protocols.ssh import sftp_messages as sftp
from hostagent.protocols.ssh.sftp import HELD_BYTES, MAX_OUTSTANDING, SftpGuard
from hostagent.protocols.ssh.sftp_handles import MAX_HANDLES
from hostagent.protocols.ssh.sftp_messages import Fields, Packets, request, string, uint32, uint64
from tests.unit.protocols.ssh.sftp_wire import Between, Policy, Server, below, opened, outcome, read, write

R, W, A, C, T, X = (1 << bit for bit in range(6))
FILES = {b"/srv/in/a": b"content of a", b"/srv/out/s": b"secret", b"/srv/in/d/b": b"b"}
LINKS = {
    b"/srv/in/link": b"../out",
    b"/srv/in/file": b"/srv/out/s",
    b"/srv/in/new": b"../out/new",
    b"/srv/in/good": b"d",
}
ANYTHING: Policy = lambda operation: True  # noqa: E731


def session(policy: Policy | None = None, textual: bool = False, chunk: int = 1 << 20) -> Between:
    between = Between(Server(dict(FILES), dict(LINKS), textual), policy or below("/srv/in"), chunk)
    between.begin()
    return between


def handle_of(reply: bytes) -> bytes:
    assert reply[sftp.KIND] == sftp.HANDLE, reply
    return Fields(reply).string()


def test_version_offers_what_is_understood_and_no_more() -> None:
    reply = Between(Server({}, {}), ANYTHING).begin()
    fields = Fields(reply, 5)
    assert (reply[sftp.KIND], fields.uint32()) == (sftp.VERSION, 3)
    names = []
    while fields.pos < len(reply):
        names.append((fields.string(), fields.string()))
    assert (b"posix-rename@openssh.com", b"1") in names and len(names) == 10
    assert b"vendor-id" not in dict(names) and (b"fsync@openssh.com", b"9") not in names


def test_a_file_is_read_and_hashed() -> None:
    between = session()
    handle = handle_of(between.ask(*opened(b"/srv/in/a", R)))
    for offset in range(0, 12, 5):
        assert between.ask(*read(handle, offset, 5))[sftp.KIND] == sftp.DATA
    assert outcome(between.ask(*read(handle, 12, 5)))[0] == sftp.EOF
    assert outcome(between.ask(sftp.CLOSE, string(handle)))[0] == sftp.OK
    (transfer,) = between.guard.finished
    assert (transfer.path, transfer.direction, transfer.bytes, transfer.complete) == ("/srv/in/a", "read", 12, True)
    assert transfer.sha256 == hashlib.sha256(b"content of a").hexdigest()
    assert between.asked == [("sftp_read", "/srv/in/a")]


def test_a_file_is_written_and_hashed() -> None:
    between = session()
    handle = handle_of(between.ask(*opened(b"/srv/in/sub/../n", W | C | T)))
    assert outcome(between.ask(*write(handle, 0, b"one")))[0] == sftp.OK
    between.ask(*write(handle, 3, b"two"))
    between.ask(sftp.CLOSE, string(handle))
    (transfer,) = between.guard.finished
    assert (transfer.direction, transfer.bytes, transfer.sha256) == ("write", 6, hashlib.sha256(b"onetwo").hexdigest())
    assert (sftp.OPEN, b"/srv/in/n") in between.server.seen


def test_what_is_not_one_run_of_bytes_has_no_hash() -> None:
    between = session()
    for offsets, flags in (((3, 0), W), ((0, 0), W), ((0,), W | A)):
        handle = handle_of(between.ask(*opened(b"/srv/in/a", flags)))
        for offset in offsets:
            between.ask(*write(handle, offset, b"abc"))
        between.ask(sftp.CLOSE, string(handle))
    assert [(t.bytes, t.sha256, bool(t.why)) for t in between.guard.finished] == [
        (6, "", True),
        (6, "", True),
        (3, "", True),
    ]


def test_a_file_that_is_not_closed_is_not_complete() -> None:
    between = session()
    handle = handle_of(between.ask(*opened(b"/srv/in/a", R)))
    between.ask(*read(handle, 0, 5))
    between.guard.closed()
    assert [(t.bytes, t.complete) for t in between.guard.finished] == [(5, False)]


def test_reading_and_writing_are_decided_each_for_itself() -> None:
    between = session(lambda operation: operation.kind != "sftp_write")
    assert outcome(between.ask(*opened(b"/srv/in/a", R | W)))[0] == sftp.PERMISSION_DENIED
    assert between.asked == [("sftp_read", "/srv/in/a"), ("sftp_write", "/srv/in/a")]
    assert outcome(between.ask(*opened(b"/srv/in/a", R | C)))[0] == sftp.PERMISSION_DENIED
    assert outcome(between.ask(*opened(b"/srv/in/a", R | T)))[0] == sftp.PERMISSION_DENIED
    handle_of(between.ask(*opened(b"/srv/in/a", R)))


def test_a_denied_operation_says_why_and_the_session_goes_on() -> None:
    between = session()
    code, message = outcome(between.ask(*opened(b"/srv/out/s", R)))
    assert (code, message) == (sftp.PERMISSION_DENIED, "not yours (decision f00-1.1)")
    handle_of(between.ask(*opened(b"/srv/in/a", R)))
    assert [path for kind, path in between.server.seen if kind == sftp.OPEN] == [b"/srv/in/a"]


PATHS = [
    (sftp.OPENDIR, "sftp_list", b""),
    (sftp.STAT, "sftp_stat", b""),
    (sftp.LSTAT, "sftp_stat", b""),
    (sftp.READLINK, "sftp_stat", b""),
    (sftp.REALPATH, "sftp_stat", b""),
    (sftp.REMOVE, "sftp_delete", b""),
    (sftp.RMDIR, "sftp_delete", b""),
    (sftp.MKDIR, "sftp_mkdir", uint32(0)),
    (sftp.SETSTAT, "sftp_attrs", uint32(sftp.ATTR_MODE) + uint32(0o600)),
    (sftp.SETSTAT, "sftp_write", uint32(sftp.ATTR_SIZE) + uint64(0)),
]


@pytest.mark.parametrize(("kind", "name", "rest"), PATHS)
def test_each_operation_on_a_path_is_decided_on_where_it_leads(kind: int, name: str, rest: bytes) -> None:
    between = session()
    for path in (b"/srv/out/s", b"/srv/in/link/s", b"/srv/in/../out/s", b"../../srv/in/d/../link/s"):
        assert outcome(between.ask(kind, string(path), rest))[0] == sftp.PERMISSION_DENIED, path
    assert set(between.asked) == {(name, "/srv/out/s")}
    assert not [path for seen, path in between.server.seen if seen == kind and kind not in (sftp.REALPATH, sftp.LSTAT)]
    reply = between.ask(kind, string(b"/srv/in/good/b"), rest)
    assert reply[sftp.KIND] != sftp.STATUS or outcome(reply)[0] == sftp.OK
    assert between.asked[-1] == (name, "/srv/in/d/b")
    if kind != sftp.REALPATH:
        assert (kind, b"/srv/in/d/b") in between.server.seen


def test_the_last_name_is_followed_where_the_operation_follows_it() -> None:
    between = session()
    for kind in (sftp.STAT, sftp.OPENDIR):
        assert outcome(between.ask(kind, string(b"/srv/in/file")))[0] == sftp.PERMISSION_DENIED
    for kind in (sftp.REMOVE, sftp.READLINK):
        between.ask(kind, string(b"/srv/in/file"))
        assert (kind, b"/srv/in/file") in between.server.seen
    assert outcome(between.ask(sftp.REMOVE, string(b"/srv/in/link/")))[0] == sftp.PERMISSION_DENIED
    assert outcome(between.ask(*opened(b"/srv/in/new", W | C)))[0] == sftp.PERMISSION_DENIED
    handle_of(between.ask(*opened(b"/srv/in/new", W | C | X)))
    assert between.asked[-2:] == [("sftp_write", "/srv/out/new"), ("sftp_write", "/srv/in/new")]


def test_a_server_that_resolves_no_links_is_found_out() -> None:
    between = session(ANYTHING, textual=True)
    for path in (b"/srv/in/link/s", b"/srv/in/file", b"/srv/in/new"):
        code, message = outcome(between.ask(*opened(path, W | C)))
        assert code == sftp.PERMISSION_DENIED and "symbolic link" in message
    handle_of(between.ask(*opened(b"/srv/in/a", R)))


def test_two_paths_are_decided_together() -> None:
    between = session()
    extended = string(b"posix-rename@openssh.com")
    hard = string(b"hardlink@openssh.com")
    for kind, fields in ((sftp.RENAME, b""), (sftp.EXTENDED, extended), (sftp.EXTENDED, hard)):
        for old, new in (
            (b"/srv/in/a", b"/srv/out/x"),
            (b"/srv/out/s", b"/srv/in/x"),
            (b"/srv/in/a", b"/srv/in/link/x"),
        ):
            assert outcome(between.ask(kind, fields, string(old), string(new)))[0] == sftp.PERMISSION_DENIED
        assert outcome(between.ask(kind, fields, string(b"/srv/in/a"), string(b"/srv/in/good/x")))[0] == sftp.OK
    assert between.asked[0] == ("sftp_rename", "/srv/in/a", "/srv/out/x")
    assert between.asked[-1] == ("sftp_link", "/srv/in/d/x", "/srv/in/a")


def test_a_symbolic_link_is_decided_by_its_name_and_where_it_points_to() -> None:
    between = session()
    for target in (b"/srv/out/s", b"../out/s", b"link/s", b"/nowhere/at/all"):
        assert outcome(between.ask(sftp.SYMLINK, string(target), string(b"/srv/in/l")))[0] == sftp.PERMISSION_DENIED
    assert outcome(between.ask(sftp.SYMLINK, string(b"a"), string(b"/srv/in/link/l")))[0] == sftp.PERMISSION_DENIED
    assert outcome(between.ask(sftp.SYMLINK, string(b"../a"), string(b"/srv/in/good/l")))[0] == sftp.OK
    assert between.asked[-1] == ("sftp_link", "/srv/in/d/l", "/srv/in/a")
    assert between.server.seen[-1] == (sftp.SYMLINK, b"../a")


def test_where_a_path_cannot_be_told_a_denied_client_learns_nothing() -> None:
    between = session()
    assert outcome(between.ask(sftp.STAT, string(b"/srv/out/missing")))[0] == sftp.PERMISSION_DENIED
    assert outcome(between.ask(sftp.STAT, string(b"/srv/in/missing")))[0] == sftp.NO_SUCH_FILE
    assert not [path for kind, path in between.server.seen if kind == sftp.STAT]


def test_requests_on_handles() -> None:
    between = session()
    reading = handle_of(between.ask(*opened(b"/srv/in/a", R)))
    writing = handle_of(between.ask(*opened(b"/srv/in/a", W)))
    directory = handle_of(between.ask(sftp.OPENDIR, string(b"/srv/in")))
    asked = len(between.asked)
    for refused in (
        write(reading, 0, b"x"),
        read(writing, 0, 1),
        read(directory, 0, 1),
        read(b"h99", 0, 1),
        (sftp.READDIR, string(reading)),
        (sftp.FSTAT, string(b"nothing")),
        (sftp.CLOSE, string(b"nothing")),
        (sftp.EXTENDED, string(b"copy-data"), string(writing), bytes(16), string(reading), bytes(8)),
    ):
        assert outcome(between.ask(*refused))[0] in (sftp.FAILURE, sftp.PERMISSION_DENIED)
    for passed in (
        (sftp.FSTAT, string(reading)),
        (sftp.EXTENDED, string(b"fsync@openssh.com"), string(writing)),
        (sftp.EXTENDED, string(b"copy-data"), string(reading), bytes(16), string(writing), bytes(8)),
    ):
        assert outcome(between.ask(*passed))[0] == sftp.OK
    assert len(between.asked) == asked
    between.ask(sftp.FSETSTAT, string(reading), uint32(sftp.ATTR_SIZE | sftp.ATTR_MODE), uint64(0), uint32(0o644))
    assert between.asked[asked:] == [("sftp_attrs", "/srv/in/a"), ("sftp_write", "/srv/in/a")]
    assert outcome(between.ask(sftp.CLOSE, string(reading)))[0] == sftp.OK
    assert outcome(between.ask(*read(reading, 0, 1)))[0] == sftp.FAILURE


def test_what_is_not_known_is_refused_without_asking_the_server() -> None:
    between = session(ANYTHING)
    seen = len(between.server.seen)
    assert outcome(between.ask(99, string(b"/srv/in/a")))[0] == sftp.OP_UNSUPPORTED
    assert outcome(between.ask(sftp.EXTENDED, string(b"exec@example.com"), string(b"id")))[0] == sftp.OP_UNSUPPORTED
    assert outcome(between.ask(*opened(b"/srv/in/a", R | 0x40)))[0] == sftp.OP_UNSUPPORTED
    assert outcome(between.ask(sftp.STAT, string(b"/srv/in/\xff")))[0] == sftp.FAILURE
    assert len(between.server.seen) == seen and between.asked == []


def test_extensions_about_users_are_decided_by_name() -> None:
    asked = (sftp.EXTENDED, string(b"home-directory"), string(b"root"))
    assert (
        outcome(session(lambda operation: operation.name != "home-directory").ask(*asked))[0] == sftp.PERMISSION_DENIED
    )
    between = session(lambda operation: operation.name == "home-directory")
    assert outcome(between.ask(*asked))[0] == sftp.OK
    names = (sftp.EXTENDED, string(b"users-groups-by-id@openssh.com"), string(b""), string(b""))
    assert outcome(between.ask(*names))[0] == sftp.OP_UNSUPPORTED  # a listing of the server's has them


@pytest.mark.parametrize(
    "packet",
    [
        bytes(4),
        uint32(sftp.MAX_PACKET + 1),
        request(sftp.STAT, 7, string(b"/a"), b"more"),
        request(sftp.STAT, 7, uint32(9) + b"/a"),
        request(sftp.STAT, 7, string(b"/a\0b")),
        request(sftp.STAT, 7, string(bytes(5000))),
        uint32(1) + b"\x11",
        request(*opened(b"/a", R)[:1], 7, string(b"/a"), uint32(R), uint32(0x10)),
    ],
)
def test_a_packet_that_cannot_be_read_ends_the_session(packet: bytes) -> None:
    between = session()
    with pytest.raises(PeerError):
        between.guard.client_data(packet)
    assert not between.guard.to_server


def test_an_id_that_is_in_use_ends_the_session() -> None:
    between = session()
    handle = string(handle_of(between.ask(*opened(b"/srv/in/a", R))))
    between.guard.client_data(request(sftp.FSTAT, 50, handle))
    with pytest.raises(PeerError, match="in use"):
        between.guard.client_data(request(sftp.FSTAT, 50, handle))


@pytest.mark.parametrize(
    "reply",
    [
        request(sftp.STATUS, 51, uint32(0), string(b""), string(b"")),
        request(sftp.HANDLE, 50, string(b"h")),
        request(sftp.DATA, 50, string(b"longer than it was asked for")),
        request(sftp.DATA, 50, uint32(3) + b"no"),
        uint32(sftp.MAX_PACKET + 1),
    ],
)
def test_a_server_that_breaks_the_protocol_ends_the_session(reply: bytes) -> None:
    between = session()
    handle = handle_of(between.ask(*opened(b"/srv/in/a", R)))
    kind, *fields = read(handle, 0, 5)
    between.guard.client_data(request(kind, 50, *fields))
    with pytest.raises(PeerError):
        between.guard.server_data(reply)
    assert not between.guard.to_client


def test_requests_behind_one_that_waits_are_held_in_order_and_bounded() -> None:
    between = session()
    guard = between.guard
    guard.client_data(request(sftp.REMOVE, 1, string(b"/srv/in/a")))
    while not guard.asked:
        sent, guard.to_server = guard.to_server, []
        guard.server_data(between.server.feed(b"".join(sent)))
    one = request(sftp.REMOVE, 2, string(b"/srv/in/d/b"))
    fed = 0
    while not guard.client_held:
        guard.client_data(one)
        fed += len(one)
    assert HELD_BYTES <= fed < HELD_BYTES + len(one) and not guard.to_server
    ((token, _),) = guard.asked
    guard.asked.clear()
    guard.decided(token, True, "")
    assert guard.to_server[0] == request(sftp.REMOVE, 1, string(b"/srv/in/a")) and not guard.client_held
    with pytest.raises(ValueError, match="to be decided"):
        guard.decided(token, True, "")


def test_outstanding_requests_and_open_handles_are_bounded() -> None:
    between = session(ANYTHING)
    for _ in range(MAX_HANDLES):
        handle = handle_of(between.ask(sftp.OPENDIR, string(b"/srv")))
    assert outcome(between.ask(sftp.OPENDIR, string(b"/srv")))[0] == sftp.FAILURE
    assert outcome(between.ask(*opened(b"/srv/in/a", R)))[0] == sftp.FAILURE
    between.ask(sftp.CLOSE, string(handle))
    handle = handle_of(between.ask(sftp.OPENDIR, string(b"/srv")))
    for number in range(MAX_OUTSTANDING + 9):
        between.guard.client_data(request(sftp.READDIR, 10_000 + number, string(handle)))
    assert len(between.guard.to_server) == MAX_OUTSTANDING
    between.pump()
    assert len(between.send(b"")) == MAX_OUTSTANDING + 9


def script() -> bytes:
    """A client that does not wait."""
    wanted = (
        (sftp.REALPATH, string(b".")),
        opened(b"/srv/in/good/b", R),
        opened(b"/srv/in/link/s", R),
        read(b"h0", 0, 10),
        read(b"h1", 0, 10),
        (sftp.RENAME, string(b"/srv/in/a"), string(b"/srv/out/a")),
        (sftp.CLOSE, string(b"h0")),
        (sftp.EXTENDED, string(b"what"), string(b"ever")),
    )
    return b"".join(request(kind, number, *fields) for number, (kind, *fields) in enumerate(wanted))


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_splitting_changes_nothing(chunk: int) -> None:
    whole, pieces = session(), session(chunk=chunk)
    assert sorted(pieces.send(script())) == sorted(whole.send(script()))
    assert pieces.asked == whole.asked and pieces.server.seen == whole.server.seen
    assert pieces.guard.finished == whole.guard.finished != []


OWN = {sftp.INIT, sftp.REALPATH, sftp.LSTAT}
known = st.sampled_from(
    [
        script(),
        *(request(kind, 3, string(b"/srv/in/a"), string(b"x")) for kind in range(3, 21)),
        sftp.version(sftp.INIT),
    ]
)
requests = st.builds(request, st.integers(0, 255), st.integers(0, 9), st.binary(max_size=40))
said = st.lists(known | requests | st.binary(max_size=30), max_size=8)


@given(said, said, st.lists(st.booleans(), max_size=30))
@settings(max_examples=300, deadline=None)
def test_nothing_undecided_goes_on_whatever_both_sides_say(
    client: list[bytes], server: list[bytes], order: list[bool]
) -> None:
    guard = SftpGuard("ci")
    sent = Packets()
    guard.client_data(sftp.version(sftp.INIT))
    guard.server_data(sftp.version(sftp.VERSION))
    try:
        for from_client in (*order, *([True] * 8), *([False] * 8)):
            mine = client if from_client else server
            if mine:
                (guard.client_data if from_client else guard.server_data)(mine.pop(0))
            for token, _ in guard.asked[:]:
                guard.asked.clear()
                guard.decided(token, False, "no")
    except PeerError:
        pass
    guard.closed()
    sent.feed(b"".join(guard.to_server))
    while (packet := sent.next()) is not None:
        extension = Fields(packet).string() if packet[sftp.KIND] == sftp.EXTENDED else b""
        assert packet[sftp.KIND] in OWN or extension in (b"limits@openssh.com", b"expand-path@openssh.com")


@given(st.binary(max_size=200))
def test_any_bytes_are_packets_or_refused(data: bytes) -> None:
    for kind in ("client", "server"):
        guard = SftpGuard("ci")
        try:
            if kind == "server":
                guard.client_data(sftp.version(sftp.INIT))
                guard.server_data(data)
            else:
                guard.client_data(data)
        except PeerError:
            pass
        assert b"".join(guard.to_server) in (b"", sftp.version(sftp.INIT)) or kind == "server"


@pytest.mark.parametrize(("size", "hashed"), [(3, True), (2, False), (9, False)])
def test_a_size_that_is_set_is_one_that_was_written_or_there_is_no_hash(size: int, hashed: bool) -> None:
    between = session()
    handle = handle_of(between.ask(*opened(b"/srv/in/a", W)))
    between.ask(*write(handle, 0, b"abc"))
    between.ask(sftp.FSETSTAT, string(handle), uint32(sftp.ATTR_SIZE), uint64(size))
    between.ask(sftp.CLOSE, string(handle))
    assert [bool(t.sha256) for t in between.guard.finished] == [hashed]


def test_after_an_end_nothing_goes_on() -> None:
    between = session()
    handle_of(between.ask(*opened(b"/srv/in/a", R)))
    with pytest.raises(PeerError):
        between.guard.client_data(bytes(4))
    between.guard.client_data(request(sftp.STAT, 60, string(b"/srv/in/a")))
    between.guard.server_data(request(sftp.STATUS, 60, uint32(0)))
    assert not between.guard.to_server and not between.guard.to_client
    assert [t.complete for t in between.guard.finished] == [False]
