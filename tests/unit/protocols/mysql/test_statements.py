"""Commands after the login: what is asked, sent, refused, and answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.base import Cancel, Close, Decide, Finished, LookedUp, Rule, Session
from hostagent.protocols.mysql.config import Limits
from hostagent.protocols.mysql.denial import err
from hostagent.protocols.mysql.packets import MAX_PAYLOAD, packet
from hostagent.protocols.mysql.settings import PROBE, TRACK
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from hostagent.values.mysql import Flavor, MysqlSettings
from tests.unit.protocols.mysql.wire import (
    CLIENT,
    OLD_EOF,
    column,
    command,
    eof,
    let_in,
    ok,
    probe_result,
    query,
    result,
    row,
    schema,
    started,
    variable,
)
from tests.unit.protocols.playbook import (
    Allowed,
    Asks,
    Denied,
    FromClient,
    FromUpstream,
    LooksUp,
    Sealed,
    ToClient,
    ToUpstream,
)


def decide(session: Session, ruling: Ruling) -> None:
    """Answer what the session has just asked."""
    asked = next(command for command in reversed(session.commands) if isinstance(command, Decide))
    session.commands.clear()
    session.decided(asked.request, Decision("d1", ruling))


def allow(session: Session, *kinds: str, settings: tuple[str, ...] = (), verdict: Verdict = Verdict.ALLOW) -> None:
    """Answer it with a plain ruling."""
    decide(session, Ruling(verdict, "r", "", kinds or ("select",), settings=settings))


NO = "denied by policy: no (rule r). The operator of this host finds it as decision d1."


@pytest.mark.parametrize("flags", [CLIENT, OLD_EOF])
def test_a_query_and_its_rows(flags: int) -> None:
    answer = result((b"1", None), (b"2", b"b"), deprecate_eof=flags == CLIENT)
    book = let_in(flags)
    book >> FromClient(query("SELECT 1"))
    book << Asks("SELECT 1", "execute", ("shop",))
    book >> Allowed()
    book << ToUpstream(query("SELECT 1"))
    book >> FromUpstream(answer)
    book << ToClient(answer) << Finished("d1", Outcome(2, 2 * 3 + 1))
    book.done()
    assert book.trace.captured["client"] == query("SELECT 1")
    assert book.trace.captured["upstream"] == answer


def test_a_request_names_the_settings() -> None:
    session = started(sql_mode=b"STRICT_TRANS_TABLES,ANSI_QUOTES", charset=b"latin1", database=b"")
    session.client_data(query("SELECT 1"))
    (asked,) = session.commands
    assert asked.request.mysql == MysqlSettings(  # type: ignore[union-attr]
        Flavor.MARIADB, 101119, ("ANSI_QUOTES", "STRICT_TRANS_TABLES"), "latin1", "", 0
    )
    assert asked.request.schemas == ()  # type: ignore[union-attr]
    assert "sql_mode=ANSI_QUOTES,STRICT_TRANS_TABLES" in asked.request.context  # type: ignore[union-attr]


def test_a_denied_query_never_reaches_the_server_and_the_session_goes_on() -> None:
    book = let_in()
    book >> FromClient(query("DROP TABLE t"))
    book << Asks("DROP TABLE t")
    book >> Denied()
    book << ToClient(err(1, 1142, "42000", NO))
    book >> FromClient(query("SELECT 1"))
    book << Asks("SELECT 1")
    book >> Allowed()
    book << ToUpstream(query("SELECT 1"))
    book >> FromUpstream(ok(1))
    book << ToClient(ok(1)) << Finished("d2", Outcome(0, 0))
    book.done()


def test_a_text_that_is_recorded_otherwise() -> None:
    book = let_in()
    book >> FromClient(query("SET PASSWORD = 'x'"))
    book << Asks("SET PASSWORD = 'x'")
    book >> Denied(text="SET PASSWORD = '***'")
    book << ToClient(err(1, 1142, "42000", NO))
    book.done()
    assert book.trace.captured["client"] == query("SET PASSWORD = '***'")


def test_several_results_are_one_answer() -> None:
    more = result((b"1",), status=0x000A)
    last = ok(6, affected=3)
    book = let_in()
    book >> FromClient(query("SELECT 1; UPDATE t SET a = 1"))
    book << Asks("SELECT 1; UPDATE t SET a = 1")
    book >> Allowed(("select", "update"))
    book << ToUpstream(query("SELECT 1; UPDATE t SET a = 1"))
    book >> FromUpstream(more)
    book << ToClient(more)
    book >> FromUpstream(last)
    book << ToClient(last) << Finished("d1", Outcome(1, 2))
    book.done()


def test_an_error_ends_an_answer() -> None:
    error = err(1, 1146, "42S02", "no such table")
    book = let_in()
    book >> FromClient(query("SELECT x"))
    book << Asks("SELECT x")
    book >> Allowed()
    book << ToUpstream(query("SELECT x"))
    book >> FromUpstream(error)
    book << ToClient(error) << Finished("d1", Outcome(0, 0, "42S02"))
    book.done()


def test_a_row_of_more_than_a_packet_streams() -> None:
    session = started()
    session.client_data(query("SELECT x"))
    allow(session)
    value = b"\xfe" + (MAX_PAYLOAD + 10 - 9).to_bytes(8, "little")
    first = MAX_PAYLOAD.to_bytes(3, "little") + b"\x03" + value
    session.upstream_data(packet(1, b"\x01") + column(2) + first)
    kept = 0
    piece = b"x" * 65536
    left = MAX_PAYLOAD - len(value)
    while left:
        part = piece[: min(left, len(piece))]
        session.upstream_data(part)
        left -= len(part)
        assert b"".join(session.to_client).endswith(part)
        kept = max(kept, sum(map(len, session.to_client)))
        session.to_client.clear()
        session.captured.clear()
    assert kept < 200_000
    session.upstream_data(b"\x0a\0\0\x04" + b"x" * 10 + row(5, b"z") + ok(6, kind=0xFE))
    (finished,) = session.commands
    assert finished == Finished("d1", Outcome(2, MAX_PAYLOAD + 10 + 2))


def test_a_statement_beyond_the_limit_is_denied_while_it_is_dropped() -> None:
    text = "SELECT '" + "x" * 200 + "'"
    book = let_in(limits=Limits(statement=100))
    book >> FromClient(query(text))
    why = f"a statement of {len(text) + 1} bytes is beyond the limit of 100"
    book << Asks(why, wire="unreadable")
    book >> Allowed()
    book << ToClient(err(1, 1142, "42000", f"denied: {why}. The operator of this host finds it as decision d1."))
    book.done()


def test_a_statement_of_several_packets_is_denied_with_the_next_number() -> None:
    session = started()
    head = MAX_PAYLOAD.to_bytes(3, "little") + b"\x00\x03"
    session.client_data(head)
    allow(session, verdict=Verdict.DENY)
    session.client_data(b"x" * (MAX_PAYLOAD - 1))
    assert not session.to_client
    session.client_data(packet(1, b"tail"))
    assert b"".join(session.to_client)[3] == 2
    assert not session.to_upstream


def test_a_text_in_another_encoding_is_denied() -> None:
    book = let_in()
    book >> FromClient(command(3, b"SELECT '\xff'"))
    book << Asks("the statement is not valid utf8mb4", wire="unreadable")
    book >> Allowed()
    why = "denied: the statement is not valid utf8mb4. The operator of this host finds it as decision d1."
    book << ToClient(err(1, 1142, "42000", why))
    book.done()


PREPARED = packet(1, b"\0" + (5).to_bytes(4, "little") + b"\x01\0" + b"\x01\0" + b"\0\0\0") + column(2) + column(3)
EXECUTE = command(0x17, (5).to_bytes(4, "little") + b"\0" + (1).to_bytes(4, "little") + b"\0\x01\x08\0" + bytes(8))


def test_a_statement_is_prepared_run_and_closed() -> None:
    book = let_in()
    book >> FromClient(command(0x16, b"SELECT ?"))
    book << Asks("SELECT ?", "prepare")
    book >> Allowed()
    book << ToUpstream(command(0x16, b"SELECT ?"))
    book >> FromUpstream(PREPARED)
    book << ToClient(PREPARED)
    book >> FromClient(EXECUTE)
    book << Asks("SELECT ?", "execute")
    book >> Allowed()
    book << ToUpstream(EXECUTE)
    answer = packet(1, b"\x01") + column(2) + packet(3, b"\0\0x") + ok(4, kind=0xFE)
    book >> FromUpstream(answer)
    book << ToClient(answer) << Finished("d2", Outcome(1, 3))
    close = command(0x19, (5).to_bytes(4, "little"))
    book >> FromClient(close + EXECUTE)
    unknown = err(1, 1243, "HY000", "Unknown prepared statement handler (5) given to the server")
    book << ToUpstream(close) << ToClient(unknown)
    book.done()


def test_definitions_of_a_prepared_statement_end_with_eof_where_that_is_not_deprecated() -> None:
    answer = packet(1, b"\0" + (5).to_bytes(4, "little") + b"\x01\0" + b"\x01\0" + b"\0\0\0")
    answer += column(2) + eof(3) + column(4) + eof(5)
    book = let_in(OLD_EOF)
    book >> FromClient(command(0x16, b"SELECT ?"))
    book << Asks("SELECT ?", "prepare")
    book >> Allowed()
    book << ToUpstream(command(0x16, b"SELECT ?"))
    book >> FromUpstream(answer)
    book << ToClient(answer)
    book >> FromClient(EXECUTE)
    book << Asks("SELECT ?", "execute")
    book.done()


def test_rows_of_a_cursor_count_for_the_statement_that_opened_it() -> None:
    open_it = command(
        0x17, (5).to_bytes(4, "little") + b"\x01" + (1).to_bytes(4, "little") + b"\0\x01\x08\0" + bytes(8)
    )
    fetch = command(0x1C, (5).to_bytes(4, "little") + (2).to_bytes(4, "little"))
    opened = packet(1, b"\x01") + column(2) + eof(3, 0x0042)
    fetched = packet(1, b"\0\0x") + packet(2, b"\0\0y") + eof(3, 0x00C2)
    prepared = packet(1, b"\0" + (5).to_bytes(4, "little") + b"\0\0" + b"\x01\0" + b"\0\0\0") + column(2) + eof(3)
    book = let_in(OLD_EOF)
    book >> FromClient(command(0x16, b"SELECT ?"))
    book << Asks("SELECT ?", "prepare")
    book >> Allowed()
    book << ToUpstream(command(0x16, b"SELECT ?"))
    book >> FromUpstream(prepared)
    book << ToClient(prepared)
    book >> FromClient(fetch)
    book << ToClient(err(1, 1421, "HY000", "the statement has no open cursor"))
    book >> FromClient(open_it)
    book << Asks("SELECT ?", "execute")
    book >> Allowed()
    book << ToUpstream(open_it)
    book >> FromUpstream(opened)
    book << ToClient(opened) << Finished("d2", Outcome(0, 0))
    book >> FromClient(fetch)
    book << ToUpstream(fetch)
    book >> FromUpstream(fetched)
    book << ToClient(fetched) << Finished("d2", Outcome(2, 6))
    book.done()


def test_what_a_denied_prepare_would_have_made_cannot_be_run() -> None:
    last = command(0x17, b"\xff\xff\xff\xff\0" + (1).to_bytes(4, "little"))
    book = let_in()
    book >> FromClient(command(0x16, b"DROP TABLE t"))
    book << Asks("DROP TABLE t", "prepare")
    book >> Denied()
    book << ToClient(err(1, 1142, "42000", NO))
    book >> FromClient(last)
    unknown = "Unknown prepared statement handler (4294967295) given to the server"
    book << ToClient(err(1, 1243, "HY000", unknown))
    book.done()


def test_the_last_prepared_statement_is_the_one_that_was_decided_on() -> None:
    last = command(0x17, b"\xff\xff\xff\xff\0" + (1).to_bytes(4, "little") + b"\0\x01\x08\0" + bytes(8))
    book = let_in()
    book >> FromClient(command(0x16, b"SELECT ?"))
    book << Asks("SELECT ?", "prepare")
    book >> Allowed()
    book << ToUpstream(command(0x16, b"SELECT ?"))
    book >> FromUpstream(PREPARED)
    book << ToClient(PREPARED)
    book >> FromClient(last)
    book << Asks("SELECT ?", "execute")
    book.done()


@pytest.mark.parametrize("flags", [0x02, 0x04, 0x08, 0x80])
def test_other_cursors_are_refused(flags: int) -> None:
    session = started()
    session.client_data(command(0x16, b"SELECT ?"))
    allow(session)
    session.upstream_data(PREPARED)
    session.to_client.clear()
    session.to_upstream.clear()
    body = (5).to_bytes(4, "little") + bytes((flags,)) + (1).to_bytes(4, "little")
    session.client_data(command(0x17, body))
    assert session.commands == []
    assert b"".join(session.to_client)[4:7] == b"\xff" + (1047).to_bytes(2, "little")


def test_long_data_has_no_answer() -> None:
    book = let_in()
    data = command(0x18, (5).to_bytes(4, "little") + b"\0\0" + b"x" * 50)
    reset = command(0x1A, (5).to_bytes(4, "little"))
    book >> FromClient(data)  # of no statement that is known: dropped, and not answered
    book >> FromClient(command(0x16, b"SELECT ?"))
    book << Asks("SELECT ?", "prepare")
    book >> Allowed()
    book << ToUpstream(command(0x16, b"SELECT ?"))
    book >> FromUpstream(PREPARED)
    book << ToClient(PREPARED)
    book >> FromClient(data + reset)
    book << ToUpstream(data + reset)
    book >> FromUpstream(ok(1))
    book << ToClient(ok(1))
    book.done()


REFUSED = [
    0x00,
    0x05,
    0x06,
    0x07,
    0x08,
    0x0B,
    0x0D,
    0x0F,
    0x10,
    0x12,
    0x13,
    0x14,
    0x15,
    0x1B,
    0x1D,
    0x1E,
    0x20,
    0x21,
]


@pytest.mark.parametrize("kind", [*REFUSED, 0x22, 0x7F, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF])
def test_a_command_that_is_not_decided_on_is_refused_and_the_session_goes_on(kind: int) -> None:
    session = started()
    session.client_data(command(kind, b"whatever"))
    answer = b"".join(session.to_client)
    assert answer[3:7] == b"\x01\xff" + (1047).to_bytes(2, "little")
    assert answer[7:13] == b"#08S01"
    assert not session.to_upstream
    session.to_client.clear()
    session.client_data(command(0x0E))
    assert session.to_upstream == [command(0x0E)]


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (0x02, b"sh`op", "USE `sh``op`"),
        (0x04, b"t\0%", "SHOW COLUMNS FROM `t`"),
        (0x0A, b"", "SHOW PROCESSLIST"),
    ],
)
def test_a_command_without_a_text_is_decided_by_one(kind: int, body: bytes, text: str) -> None:
    book = let_in()
    book >> FromClient(command(kind, body))
    book << Asks(text, "execute")
    book >> Denied()
    book << ToClient(err(1, 1142, "42000", NO))
    book >> FromClient(command(kind, body))
    book << Asks(text, "execute")
    book >> Allowed()
    book << ToUpstream(command(kind, body))
    answer = {0x0A: result((b"1",)), 0x04: column(1) + eof(2)}.get(kind, ok(1))
    book >> FromUpstream(answer)
    rows = (1, 2) if kind == 0x0A else (0, 0)
    book << ToClient(answer) << Finished("d2", Outcome(*rows))
    book >> FromClient(command(0x0E))
    book << ToUpstream(command(0x0E))
    book.done()


def test_statistics_is_one_line() -> None:
    book = let_in()
    book >> FromClient(command(0x09))
    book << ToUpstream(command(0x09))
    book >> FromUpstream(packet(1, b"Uptime: 5"))
    book << ToClient(packet(1, b"Uptime: 5"))
    book.done()


def test_what_is_on_its_way_when_the_flow_ends_is_told_as_cut_off() -> None:
    session = started()
    session.client_data(query("SELECT 1"))
    allow(session)
    session.upstream_data(result((b"1",))[:30])
    session.commands.clear()
    session.ended()
    (told,) = session.commands
    assert isinstance(told, Finished)
    assert (told.decision_id, bool(told.outcome.error)) == ("d1", True)
    session.ended()
    session.client_data(query("SELECT 2"))
    assert len(session.commands) == 1


def test_a_client_that_quits() -> None:
    book = let_in()
    book >> FromClient(command(0x01))
    book << ToUpstream(command(0x01)) << Close()
    book.done()


def test_a_reset_forgets_statements_and_asks_for_the_settings_again() -> None:
    book = let_in()
    book >> FromClient(command(0x1F) + query("SELECT 1"))
    book << ToUpstream(command(0x1F))
    book >> FromUpstream(ok(1))
    book << ToUpstream(query(TRACK)) << ToClient(ok(1))
    book >> FromUpstream(ok(1))
    book << ToUpstream(query(PROBE))
    book >> FromUpstream(probe_result(True, database=b"", sql_mode=b"ANSI"))
    book << Asks("SELECT 1", schemas=())
    book.done()


def test_a_change_of_the_database_is_followed() -> None:
    book = let_in()
    book >> FromClient(query("USE other"))
    book << Asks("USE other", schemas=("shop",))
    book >> Allowed(("set",), ("database",))
    book << ToUpstream(query("USE other"))
    book >> FromUpstream(ok(1, state=schema(b"other")))
    book << ToClient(ok(1, state=schema(b"other"))) << Finished("d1", Outcome(0, 0))
    book >> FromClient(query("SELECT 1"))
    book << Asks("SELECT 1", schemas=("other",))
    book.done()


def test_session_state_is_kept_from_a_client_that_does_not_know_it() -> None:
    book = let_in(OLD_EOF)
    book >> FromClient(query("USE other"))
    book << Asks("USE other")
    book >> Allowed(("set",), ("database",))
    book << ToUpstream(query("USE other"))
    book >> FromUpstream(ok(1, state=schema(b"other"), affected=300, info=b"Rows matched"))
    book << ToClient(ok(1, affected=300, info=b"Rows matched")) << Finished("d1", Outcome(0, 0))
    book.done()


def test_a_change_of_sql_mode_by_a_statement_that_names_it_is_followed() -> None:
    session = started()
    session.client_data(query("SET sql_mode = 'ANSI_QUOTES'"))
    allow(session, "set", settings=("sql_mode",))
    session.upstream_data(ok(1, state=variable(b"sql_mode", b"ANSI_QUOTES")))
    session.commands.clear()
    session.client_data(query('SELECT "ssn"'))
    assert session.commands[0].request.mysql.sql_mode == ("ANSI_QUOTES",)  # type: ignore[union-attr]


@pytest.mark.parametrize("change", [variable(b"sql_mode", b"ANSI"), variable(b"character_set_client", b"latin1")])
def test_a_change_that_no_statement_names_ends_the_session(change: bytes) -> None:
    session = started()
    session.client_data(query("SELECT f()"))
    allow(session)
    session.upstream_data(ok(1, state=change))
    assert isinstance(session.commands[-1], Close)
    assert session.commands[-1].reason
    told = b"".join(session.to_client)
    assert b"changed behind a statement" in told
    session.client_data(query("SELECT 1"))
    assert isinstance(session.commands[-1], Close)


def test_a_character_set_that_cannot_be_read_ends_the_session_even_when_it_was_allowed() -> None:
    session = started()
    session.client_data(query("SET NAMES gbk"))
    allow(session, "set", settings=("names",))
    session.upstream_data(ok(1, state=variable(b"character_set_client", b"gbk")))
    assert isinstance(session.commands[-1], Close)


def test_after_an_error_of_a_statement_that_may_have_changed_settings_they_are_asked_for() -> None:
    error = err(1, 1054, "42S22", "no")
    book = let_in()
    book >> FromClient(query("CALL p()") + query("SELECT 1"))
    book << Asks("CALL p()")
    book >> Allowed(("call",))
    book << ToUpstream(query("CALL p()"))
    book >> FromUpstream(error)
    book << ToUpstream(query(TRACK)) << ToClient(error) << Finished("d1", Outcome(0, 0, "42S22"))
    book >> FromUpstream(ok(1))
    book << ToUpstream(query(PROBE))
    book >> FromUpstream(probe_result(True, database=b"elsewhere"))
    book << Asks("SELECT 1", schemas=("elsewhere",))
    book.done()


def test_a_request_for_a_file_of_the_client_ends_the_session() -> None:
    session = started()
    session.client_data(query("SELECT 1"))
    allow(session)
    session.upstream_data(packet(1, b"\xfb/etc/passwd"))
    assert b"/etc/passwd" not in b"".join(session.to_client)
    assert isinstance(session.commands[-1], Close)


def test_questions_of_ours_never_reach_the_client() -> None:
    book = let_in()
    book >> FromClient(query("SELECT 1"))
    book << Asks("SELECT 1")
    book >> LooksUp("SELECT HEX('x')")
    book << ToUpstream(query("SELECT HEX('x')"))
    book >> FromUpstream(result((b"78",)))
    book << LookedUp("78")
    book >> LooksUp("SELECT nothing")
    book << ToUpstream(query("SELECT nothing"))
    book >> FromUpstream(err(1, 1054, "42S22", "no such thing"))
    book << LookedUp(None, "no such thing (1054)", "42S22")
    book >> Allowed()
    book << ToUpstream(query("SELECT 1"))
    book >> FromUpstream(ok(1))
    book << ToClient(ok(1)) << Finished("d1", Outcome(0, 0))
    book.done()
    assert b"78" not in book.trace.captured["upstream"]


def test_where_columns_are_masked_a_statement_goes_only_as_it_was_rewritten() -> None:
    book = let_in()
    book >> Sealed()
    book >> FromClient(query("SELECT ssn FROM t"))
    book << Asks("SELECT ssn FROM t")
    book >> Allowed()
    said = "denied by policy: columns are masked here, and this statement was not rewritten"
    book << ToClient(err(1, 1142, "42000", said)) << Finished("d1", Outcome(0, 0, "42000"))
    book >> FromClient(query("SELECT v FROM t"))
    book << Asks("SELECT v FROM t")
    book >> Allowed(rewritten="SELECT v FROM (SELECT 1 v) t")
    book << ToUpstream(query("SELECT v FROM (SELECT 1 v) t"))
    error = packet(1, b"\xff\x26\x04#23000Duplicate entry '123-45-6789'")
    book >> FromUpstream(error)
    withheld = "error 1062: the server's words are withheld, because columns are masked here"
    book << ToClient(err(1, 1062, "23000", withheld)) << Finished("d2", Outcome(0, 0, "23000"))
    book.done()


def test_a_result_is_cut_off_behind_a_whole_row() -> None:
    session = started()
    session.client_data(query("SELECT 1"))
    allow(session)
    part = row(3, b"x" * 100)
    session.upstream_data(packet(1, b"\x01") + column(2) + part[:50])
    assert session.progress() == ("d1", 1, 101)
    session.to_client.clear()
    session.cut_off("too much")
    assert not session.to_client
    session.upstream_data(part[50:] + row(4, b"y"))
    told = b"".join(session.to_client)
    assert told.startswith(part[50:])
    assert told[len(part) - 50 :][3:7] == b"\x04\xff" + (1142).to_bytes(2, "little")
    assert isinstance(session.commands[-1], Close)


@pytest.mark.parametrize(
    "data",
    [
        ok(1), result((b"1",)), packet(0, b""), row(3, b"unasked"),
    ],
)  # fmt: skip
def test_what_nothing_asked_for_is_an_error_of_the_server(data: bytes) -> None:
    session = started()
    with pytest.raises(PeerError):
        session.upstream_data(data)
    assert not any(part.endswith(data) for part in session.to_client)


def test_a_server_that_ends_the_session_says_why() -> None:
    session = started()
    said = packet(0, b"\xff\x87\x07#70100Connection was killed")
    session.upstream_data(said)
    assert session.to_client == [said]


@pytest.mark.parametrize(
    "data",
    [packet(1, b"\x03SELECT 1"), packet(0, b"") + b"\0", command(0x19, b"\x01"), command(0x17, b"\x01\0\0\0")],
)
def test_a_client_that_breaks_the_protocol(data: bytes) -> None:
    session = started()
    with pytest.raises(PeerError):
        session.client_data(data)
    assert b"protocol violation" in b"".join(session.to_client)
    assert not session.to_upstream


def test_where_columns_are_masked_a_prepared_statement_is_run_as_it_was_rewritten() -> None:
    session = started()
    session.sealed = True
    masked = Ruling(Verdict.ALLOW, "r", "", ("select",), rewritten="SELECT '***'")
    session.client_data(command(0x16, b"SELECT ssn"))
    decide(session, masked)
    assert session.to_upstream == [command(0x16, b"SELECT '***'")]
    session.upstream_data(packet(1, PREPARED[4:14] + b"\x07\0") + PREPARED[16:])
    assert b"".join(session.to_client)[14:16] == b"\0\0"  # warnings
    session.to_upstream.clear()
    session.client_data(EXECUTE)
    decide(session, replace(masked, rewritten="SELECT 'other'"))
    assert not session.to_upstream
    assert b"prepare it again" in session.to_client[-1]
    assert [c.decision_id for c in session.commands if isinstance(c, Finished)] == ["d1"]
    session.client_data(EXECUTE)
    decide(session, masked)
    assert session.to_upstream == [EXECUTE]


def test_where_columns_are_masked_ok_and_eof_tell_nothing_beside_the_count() -> None:
    session = started()
    session.sealed = True
    session.client_data(query("UPDATE t SET a = 1"))
    decide(session, Ruling(Verdict.ALLOW, "r", "", ("update",), rewritten="UPDATE t SET a = 1"))
    session.to_client.clear()
    warned = packet(1, b"\0\x03\0\x02\x40\x07\0" + b"\x04Rows" + b"\x07" + schema(b"shop"))
    session.upstream_data(warned)
    assert session.to_client == [packet(1, b"\0\x03\0\x02\0\0\0")]


@pytest.mark.parametrize("data", [command(0x09), command(0x04, b"t\0"), command(0x1C, bytes(8))])
def test_where_columns_are_masked_side_doors_are_closed(data: bytes) -> None:
    session = started()
    session.sealed = True
    session.client_data(data)
    assert not session.to_upstream
    assert not session.commands
    assert b"".join(session.to_client)[4] == 0xFF


def test_a_cursor_that_was_opened_before_columns_were_masked_is_not_read_on() -> None:
    session = started()
    session.client_data(command(0x16, b"SELECT ssn"))
    allow(session)
    session.upstream_data(PREPARED)
    session.client_data(command(0x17, EXECUTE[5:9] + b"\x01" + EXECUTE[10:]))
    allow(session)
    session.upstream_data(packet(1, b"\x01") + column(2) + ok(3, 0x0042, kind=0xFE))
    session.sealed = True
    session.to_upstream.clear()
    session.client_data(command(0x1C, (5).to_bytes(4, "little") + (2).to_bytes(4, "little")))
    assert not session.to_upstream
    assert b"prepare it again" in session.to_client[-1]


@pytest.mark.parametrize(("rewritten", "sent"), [("USE `shop`", True), ("USE `other`", False)])
def test_where_columns_are_masked_a_command_without_a_text_cannot_be_rewritten(rewritten: str, sent: bool) -> None:
    session = started()
    session.sealed = True
    session.client_data(command(0x02, b"shop"))
    decide(session, Ruling(Verdict.ALLOW, "r", "", ("set",), settings=("database",), rewritten=rewritten))
    assert (session.to_upstream == [command(0x02, b"shop")]) is sent


@pytest.mark.parametrize(
    "sent", [query("KILL QUERY 12"), query(" kill hard connection 12 ; "), command(0x0C, (12).to_bytes(4, "little"))]
)
def test_a_session_of_the_same_actor_may_be_killed(sent: bytes) -> None:
    session = started()
    session.client_data(sent)
    assert session.commands == [Cancel(b"mysql shop 12")]
    session.commands.clear()
    session.cancel_found(b"mysql shop 12")
    (rule,) = session.commands
    assert isinstance(rule, Rule)
    assert rule.ruling.verdict is Verdict.ALLOW
    session.commands.clear()
    session.decided(rule.request, Decision("d1", rule.ruling))
    assert session.to_upstream == [sent]


def test_another_session_is_killed_by_policy_alone() -> None:
    book = let_in()
    book >> FromClient(query("KILL 13"))
    book << Cancel(b"mysql shop 13")
    book.done()
    session = book.session
    session.cancel_not_found(withdrawn=False)
    (asked,) = session.commands
    assert isinstance(asked, Decide)
    assert asked.request.text == "KILL 13"
    assert not session.to_upstream


def test_what_waited_for_a_human_is_withdrawn_and_the_server_hears_nothing() -> None:
    session = started()
    session.client_data(query("KILL QUERY 12") + query("SELECT 1"))
    session.cancel_not_found(withdrawn=True)
    assert session.to_client == [ok(1)]
    assert not session.to_upstream
    assert isinstance(session.commands[-1], Decide)


@pytest.mark.parametrize(
    "text", ["KILL", "KILL QUERY ID 12", "KILL 12; DROP TABLE t", "KILL CONNECTION_ID()", "KILL -1"]
)
def test_other_kills_are_decided_by_their_text(text: str) -> None:
    session = started()
    session.client_data(query(text))
    (asked,) = session.commands
    assert isinstance(asked, Decide)


def test_a_statement_is_run_in_the_database_that_it_was_prepared_in() -> None:
    book = let_in()
    book >> FromClient(command(0x16, b"SELECT ?"))
    book << Asks("SELECT ?", "prepare", ("shop",))
    book >> Allowed()
    book << ToUpstream(command(0x16, b"SELECT ?"))
    book >> FromUpstream(PREPARED)
    book << ToClient(PREPARED)
    book >> FromClient(query("USE other"))
    book << Asks("USE other")
    book >> Allowed(("set",), ("database",))
    book << ToUpstream(query("USE other"))
    book >> FromUpstream(ok(1, state=schema(b"other")))
    book << ToClient(ok(1, state=schema(b"other"))) << Finished("d2", Outcome(0, 0))
    book >> FromClient(EXECUTE)
    book << Asks("SELECT ?", "execute", ("shop",))
    book.done()


def test_a_statement_is_not_run_under_another_sql_mode_than_it_was_prepared_under() -> None:
    session = started()
    session.client_data(command(0x16, b"SELECT ?"))
    allow(session)
    session.upstream_data(PREPARED)
    session.client_data(query("SET sql_mode = 'ANSI_QUOTES'"))
    allow(session, "set", settings=("sql_mode",))
    session.upstream_data(ok(1, state=variable(b"sql_mode", b"ANSI_QUOTES")))
    session.commands.clear()
    session.to_upstream.clear()
    session.client_data(EXECUTE)
    assert not session.commands
    assert not session.to_upstream
    assert b"prepare it again" in session.to_client[-1]
