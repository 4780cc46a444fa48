"""LOAD DATA LOCAL: a server gets the file that the statement names, once, and no other."""

from __future__ import annotations

import hashlib

import pytest

from hostagent.protocols.base import Close, Finished
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.packets import packet
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.protocols.mysql.upload import asked_for
from hostagent.values.decision import Outcome, Ruling, Verdict
from tests.unit.protocols.mysql.test_sealed import decided
from tests.unit.protocols.mysql.wire import command, ok, query, started
from tests.unit.sql.mysql.mysqlcase import MARIADB, session

LOAD = "LOAD DATA LOCAL INFILE '/srv/it''s.csv' INTO TABLE t"
NAME = b"/srv/it's.csv"
CONTENT = [packet(2, b"1,ada\n" * 300), packet(3, b"2,bob\n"), packet(4, b"")]
BYTES = b"1,ada\n" * 300 + b"2,bob\n"
ALLOW = Ruling(Verdict.ALLOW, "r", "", ("copy_from", "insert"))


def asked(text: str = LOAD, name: bytes = NAME, given: Ruling = ALLOW) -> MysqlSession:
    """A session whose server asks for that file in answer to that text."""
    made = started()
    assert isinstance(made, MysqlSession)
    made.client_data(query(text))
    decided(made, given)
    made.upstream_data(packet(1, b"\xfb" + name))
    return made


@pytest.mark.parametrize("size", [1, 3, 7, 5000])
def test_the_file_of_the_statement_passes_and_what_it_was_is_recorded(size: int) -> None:
    here = asked()
    assert here.to_client == [packet(1, b"\xfb" + NAME)]
    here.to_upstream.clear()
    here.captured.clear()
    data = b"".join(CONTENT)
    for at in range(0, len(data), size):
        assert not here.client_held
        here.client_data(data[at : at + size])
    assert b"".join(here.to_upstream) == data
    told = b"".join(piece for _, piece in here.captured)
    digest = hashlib.sha256(BYTES).hexdigest()
    assert f"-- the client's file {NAME.decode()}: {len(BYTES)} bytes, SHA-256 {digest}".encode() in told
    assert b"ada" not in told
    here.upstream_data(ok(5, affected=301))
    assert here.to_client[1:] == [ok(5, affected=301)]
    assert here.commands == [Finished("d1", Outcome(0, 0))]
    here.to_upstream.clear()
    here.client_data(command(0x0E))
    assert here.to_upstream == [command(0x0E)]


def test_a_client_may_send_nothing() -> None:
    here = asked()
    here.client_data(packet(2, b""))
    assert here.to_upstream[-1] == packet(2, b"")
    here.upstream_data(ok(3))
    assert Finished("d1", Outcome(0, 0)) in here.commands


@pytest.mark.parametrize(
    ("text", "name", "given"),
    [
        (LOAD, b"/etc/shadow", ALLOW),
        (LOAD, b"", ALLOW),
        (LOAD, NAME + b"\0", ALLOW),
        ("SELECT 1", NAME, ALLOW),
        ("LOAD DATA INFILE '/srv/x' INTO TABLE t", b"/srv/x", ALLOW),
        ("/* LOAD DATA LOCAL INFILE '/srv/x' */ SELECT 1", b"/srv/x", ALLOW),
        ("SELECT 1; LOAD DATA LOCAL INFILE '/srv/x' INTO TABLE t", b"/srv/x", ALLOW),
        (LOAD, NAME, Ruling(Verdict.ALLOW, "r", "", ("select",), rewritten="SELECT 1")),
    ],
)
def test_a_server_that_asks_for_another_file_gets_none(text: str, name: bytes, given: Ruling) -> None:
    here = asked(text, name, given)
    told = b"".join(here.to_client)
    assert told[3:5] == b"\x01\xff" and b"a file of the client that no statement names" in told
    assert isinstance(here.commands[-1], Close)
    here.client_data(packet(2, b"root:x"))
    assert b"root" not in b"".join(here.to_upstream)


def test_a_file_is_asked_for_once() -> None:
    here = asked()
    here.client_data(packet(2, b"a") + packet(3, b""))
    here.upstream_data(ok(4, status=0x000A))
    here.upstream_data(packet(5, b"\xfb" + NAME))
    assert isinstance(here.commands[-1], Close)


def test_it_is_offered_where_the_server_has_it() -> None:
    assert can.offered(can.LOCAL_FILES | can.SSL, client_tls=False) == can.LOCAL_FILES
    assert not can.offered(can.SSL, client_tls=True) & can.LOCAL_FILES
    assert not can.asked_for(0, can.LOCAL_FILES, can.LOCAL_FILES, tls=False) & can.LOCAL_FILES


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (LOAD, "/srv/it's.csv"),
        ('load /* x */ xml low_priority local infile "a\\\\b" into table t', "a\\b"),
        ("LOAD DATA CONCURRENT LOCAL INFILE 'x' REPLACE INTO TABLE t", "x"),
        ("LOAD DATA INFILE 'x' INTO TABLE t", None),
        ("LOAD DATA LOCAL INFILE x INTO TABLE t", None),
        ("LOAD INDEX INTO CACHE t", None),
        ("LOAD DATA LOCAL INFILE", None),
        ("LOAD 'x", None),
        ("SELECT 1", None),
    ],
)
def test_which_file_a_text_names(text: str, name: str | None) -> None:
    assert asked_for(text, MARIADB) == name


def test_the_name_is_read_as_the_session_is_set() -> None:
    text = "LOAD DATA LOCAL INFILE 'a\\b' INTO TABLE t"
    assert asked_for(text, session("NO_BACKSLASH_ESCAPES")) == "a\\b"
    assert asked_for(text, MARIADB) == "a\b"
    assert asked_for('LOAD DATA LOCAL INFILE "x" INTO TABLE t', session("ANSI_QUOTES")) is None
