"""Extended protocol: each execution is decided, errors skip to Sync, names never stand for another text."""

from __future__ import annotations

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.base import Finished, Leg
from hostagent.protocols.postgres import Limits
from hostagent.protocols.postgres import messages as m
from hostagent.values.decision import Outcome
from tests.unit.protocols.playbook import (
    Allowed,
    Asks,
    Denied,
    FromClient,
    FromUpstream,
    Playbook,
    ToClient,
    ToUpstream,
)
from tests.unit.protocols.postgres.wire import (
    BOUND,
    CLOSED,
    COLUMNS,
    FLUSH,
    NO_DATA,
    PARAMETERS,
    PARSED,
    PILL,
    PILL_P,
    READY,
    READY_FAILED,
    READY_TX,
    SUSPENDED,
    SYNC,
    SYNTAX,
    bind,
    close,
    config,
    denied,
    describe,
    error,
    execute,
    logged_in,
    message,
    parse,
    query,
    row,
    tag,
)

PILL_UNNAMED = m.parse(b"", b"!denied!")


def prepared(name: str = "s", text: str = "select 1", play: Playbook | None = None) -> Playbook:
    return (
        (play or logged_in())
        >> FromClient(parse(text, name) + SYNC)
        << Asks(text, "prepare")
        >> Allowed()
        << ToUpstream(parse(text, name) + SYNC)
        >> FromUpstream(PARSED + READY)
        << ToClient(PARSED + READY)
    )


def test_parse_bind_describe_execute_sync_in_one_chunk() -> None:
    answer = PARSED + BOUND + COLUMNS + row(b"1") + tag("SELECT 1") + READY
    play = (
        logged_in()
        >> FromClient(parse("select 1") + bind() + describe("P") + execute() + SYNC)
        << Asks("select 1", "prepare")
        >> Allowed()
        << ToUpstream(parse("select 1"))
        << Asks("select 1", "execute")
        >> Allowed()
        << ToUpstream(bind() + describe("P") + execute() + SYNC)
        >> FromUpstream(answer)
        << ToClient(answer)
        << Finished("d2", Outcome(1, 11))
    )
    play.done(cut=False)
    sent = parse("select 1") + bind() + describe("P") + execute() + SYNC
    assert play.trace.captured[Leg.CLIENT] == sent


def test_each_message_alone_and_cut_anywhere() -> None:
    (
        logged_in()
        >> FromClient(parse("select 1", "s"))
        << Asks("select 1", "prepare")
        >> Allowed()
        << ToUpstream(parse("select 1", "s"))
        >> FromClient(describe("S", "s") + FLUSH)
        << ToUpstream(describe("S", "s") + FLUSH)
        >> FromUpstream(PARSED + PARAMETERS + COLUMNS)
        << ToClient(PARSED + PARAMETERS + COLUMNS)
        >> FromClient(bind("", "s"))
        << Asks("select 1", "execute")
        >> Allowed()
        << ToUpstream(bind("", "s"))
        >> FromClient(execute("", 1) + FLUSH)
        << ToUpstream(execute("", 1) + FLUSH)
        >> FromUpstream(BOUND + row(b"1") + SUSPENDED)
        << ToClient(BOUND + row(b"1") + SUSPENDED)
        << Finished("d2", Outcome(1, 11))
        >> FromClient(execute() + close("S", "s") + SYNC)
        << ToUpstream(execute() + close("S", "s") + SYNC)
        >> FromUpstream(row(b"2") + row(b"3") + tag("SELECT 2") + CLOSED + READY)
        << ToClient(row(b"2") + row(b"3") + tag("SELECT 2") + CLOSED + READY)
        << Finished("d2", Outcome(3, 33))
    ).done()


def test_a_prepared_statement_is_decided_at_each_bind() -> None:
    play = prepared(text="select nextval('s')")
    for answer, number in ((Allowed(), 2), (Allowed(), 3)):
        play = (
            play
            >> FromClient(bind("", "s"))
            << Asks("select nextval('s')", "execute")
            >> answer
            << ToUpstream(bind("", "s"))
            >> FromClient(execute() + SYNC)
            << ToUpstream(execute() + SYNC)
            >> FromUpstream(BOUND + tag("SELECT 0") + READY)
            << ToClient(BOUND + tag("SELECT 0") + READY)
            << Finished(f"d{number}", Outcome(0, 0))
        )
    play.done()


def test_a_denied_parse_drops_to_sync() -> None:
    (
        logged_in()
        >> FromClient(parse("drop table t", "s"))
        << Asks("drop table t", "prepare")
        >> Denied()
        << ToUpstream(PILL_P)
        >> FromClient(bind("", "s") + describe("P") + execute() + query("ignored") + FLUSH + SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(SYNTAX + READY_FAILED)
        << ToClient(denied() + READY_FAILED)
        >> FromClient(bind("", "s") + SYNC)
        << ToUpstream(PILL_P + SYNC)
        >> FromUpstream(SYNTAX + READY_FAILED)
        << ToClient(m.error_response("ERROR", "26000", 'prepared statement "s" does not exist') + READY_FAILED)
    ).done()


def test_a_denied_unnamed_parse_ends_the_unnamed_statement_as_a_failed_one_would() -> None:
    (
        logged_in()
        >> FromClient(parse("drop table t"))
        << Asks("drop table t")
        >> Denied()
        << ToUpstream(PILL_UNNAMED)
        >> FromClient(SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(denied() + READY)
    ).done()


def test_a_denied_bind_drops_to_sync_and_its_parameters_stay_here() -> None:
    secret = bind("", "s", b"\0\0\0\1\0\0\0\6secret\0\0")
    play = (
        prepared()
        >> FromClient(secret)
        << Asks("select 1", "execute")
        >> Denied()
        << ToUpstream(PILL_P)
        >> FromClient(execute() + SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(denied(number=2) + READY)
    )
    play.done()
    assert b"secret" not in play.trace.to_upstream


def test_a_denial_in_a_pipeline_leaves_the_earlier_part_to_the_servers_transaction() -> None:
    answer = PARSED + BOUND + NO_DATA + tag("INSERT 0 1")
    (
        logged_in()
        >> FromClient(parse("insert"))
        << Asks("insert")
        >> Allowed()
        << ToUpstream(parse("insert"))
        >> FromClient(bind())
        << Asks("insert")
        >> Allowed()
        << ToUpstream(bind())
        >> FromClient(describe("P") + execute())
        << ToUpstream(describe("P") + execute())
        >> FromClient(parse("drop"))
        << Asks("drop")
        >> Denied()
        << ToUpstream(PILL_UNNAMED)
        >> FromClient(bind() + execute() + SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(answer + SYNTAX + READY)
        << ToClient(answer + denied(number=3) + READY)
        << Finished("d2", Outcome(1, 0))
    ).done()


def test_after_a_server_error_all_is_skipped_to_sync() -> None:
    play = (
        prepared()
        >> FromClient(bind("", "s"))
        << Asks("select 1")
        >> Allowed()
        << ToUpstream(bind("", "s"))
        >> FromClient(describe("P") + execute() + close("P") + SYNC)
        << ToUpstream(describe("P") + execute() + close("P") + SYNC)
        >> FromUpstream(error("22P02") + READY)
        << ToClient(error("22P02") + READY)
        << Finished("d2", Outcome(0, 0, "22P02"))
    )
    play.done()


def test_an_error_before_sync_makes_the_rest_be_dropped() -> None:
    (
        prepared()
        >> FromClient(bind("", "s"))
        << Asks("select 1")
        >> Allowed()
        << ToUpstream(bind("", "s"))
        >> FromClient(FLUSH)
        << ToUpstream(FLUSH)
        >> FromUpstream(error("22P02"))
        << ToClient(error("22P02"))
        << Finished("d2", Outcome(0, 0, "22P02"))
        >> FromClient(execute() + parse("select 2") + SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(READY)
        << ToClient(READY)
    ).done()


def test_an_error_that_comes_while_a_decision_is_awaited_drops_that_message() -> None:
    (
        logged_in()
        >> FromClient(parse("selct"))
        << Asks("selct")
        >> Allowed()
        << ToUpstream(parse("selct"))
        >> FromClient(parse("select 2", "two"))
        << Asks("select 2")
        >> FromUpstream(error("42601"))
        << ToClient(error("42601"))
        >> Allowed()
        >> FromClient(SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(READY)
        << ToClient(READY)
    ).done()


def test_an_error_at_sync_is_followed_by_ready() -> None:
    (
        logged_in()
        >> FromClient(SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(error("23503") + READY)
        << ToClient(error("23503") + READY)
    ).done()


def test_a_name_goes_back_to_its_old_text_when_the_server_refuses_the_new() -> None:
    (
        prepared(text="select 1")
        >> FromClient(parse("select 2", "s"))
        << Asks("select 2")
        >> Allowed()
        << ToUpstream(parse("select 2", "s"))
        >> FromClient(SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(error("42P05") + READY)
        << ToClient(error("42P05") + READY)
        >> FromClient(bind("", "s"))
        << Asks("select 1", "execute")
    ).done()


def test_a_closed_statement_comes_back_when_the_server_skipped_the_close() -> None:
    (
        prepared(text="select 1")
        >> FromClient(parse("selct"))
        << Asks("selct")
        >> Allowed()
        << ToUpstream(parse("selct"))
        >> FromClient(close("S", "s") + SYNC)
        << ToUpstream(close("S", "s") + SYNC)
        >> FromUpstream(error("42601") + READY)
        << ToClient(error("42601") + READY)
        >> FromClient(bind("", "s"))
        << Asks("select 1", "execute")
    ).done()


def test_a_name_can_be_closed_and_used_again() -> None:
    play = (
        prepared(text="select 1")
        >> FromClient(close("S", "s") + SYNC)
        << ToUpstream(close("S", "s") + SYNC)
        >> FromUpstream(CLOSED + READY)
        << ToClient(CLOSED + READY)
    )
    (prepared(text="select 2", play=play) >> FromClient(bind("", "s")) << Asks("select 2", "execute")).done()


@pytest.mark.parametrize("kinds", [("prepare", "select"), ("call",), ("do",)])
def test_names_that_sql_may_have_given_another_text_are_forgotten(kinds: tuple[str, ...]) -> None:
    play = prepared()
    for text, ruling in (("deallocate s", Allowed(("deallocate",))), ("prepare s as select 2", Allowed(kinds))):
        play = (
            play
            >> FromClient(query(text))
            << Asks(text)
            >> ruling
            << ToUpstream(query(text))
            >> FromUpstream(tag("DEALLOCATE") + READY)
            << ToClient(tag("DEALLOCATE") + READY)
            << Finished(f"d{2 if 'dealloc' in text else 3}", Outcome(0, 0))
        )
    (
        play
        >> FromClient(bind("", "s") + SYNC)
        << ToUpstream(PILL_P + SYNC)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(m.error_response("ERROR", "26000", 'prepared statement "s" does not exist') + READY)
    ).done()


@pytest.mark.parametrize(
    ("text", "kinds", "kept"),
    [("move 1 in p", ("cursor",), True), ("declare p cursor for select 2", ("cursor", "select"), False)],
)
def test_a_portal_is_forgotten_once_sql_may_have_given_its_name_to_another(
    text: str, kinds: tuple[str, ...], kept: bool
) -> None:
    play = (
        prepared(play=logged_in())
        >> FromClient(query("begin"))
        << Asks("begin")
        >> Allowed(("transaction",))
        << ToUpstream(query("begin"))
        >> FromUpstream(tag("BEGIN") + READY_TX)
        << ToClient(tag("BEGIN") + READY_TX)
        << Finished("d2", Outcome(0, 0))
        >> FromClient(bind("p", "s") + SYNC)
        << Asks("select 1")
        >> Allowed()
        << ToUpstream(bind("p", "s") + SYNC)
        >> FromUpstream(BOUND + READY_TX)
        << ToClient(BOUND + READY_TX)
        >> FromClient(query(text))
        << Asks(text)
        >> Allowed(kinds)
        << ToUpstream(query(text))
        >> FromUpstream(tag("DONE") + READY_TX)
        << ToClient(tag("DONE") + READY_TX)
        << Finished("d4", Outcome(0, 0))
        >> FromClient(execute("p") + SYNC)
    )
    (play << ToUpstream((execute("p") if kept else PILL_P) + SYNC)).done()


def test_a_portal_that_no_bind_opened_is_not_executed() -> None:
    (
        logged_in()
        >> FromClient(execute("cursor") + SYNC)
        << ToUpstream(PILL_P + SYNC)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(m.error_response("ERROR", "34000", 'portal "cursor" does not exist') + READY)
    ).done()


@pytest.mark.parametrize(
    "data",
    [
        parse("x", "n" * 64),
        bind("p" * 64),
        bind("p" * 200),
        describe("S", "n" * 64),
        close("S", "n" * 64),
        execute("p" * 64),
    ],
)
def test_names_that_the_server_would_cut_are_refused(data: bytes) -> None:
    refused = m.error_response("ERROR", "42622", "a statement or portal name of more than 63 bytes is refused")
    (
        logged_in()
        >> FromClient(data + SYNC)
        << ToUpstream(PILL_P + SYNC)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(refused + READY)
    ).done()


def test_prepared_statements_are_bounded() -> None:
    play = prepared(play=logged_in(config(limits=Limits(statements=1))))
    refused = m.error_response(
        "ERROR", "54000", "too many prepared statements or portals in this session", hint="Close some of them."
    )
    (
        play
        >> FromClient(parse("select 2", "t") + SYNC)
        << ToUpstream(PILL_P + SYNC)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(refused + READY)
        >> FromClient(parse("select 3", "s"))
        << Asks("select 3")
    ).done()


def test_outstanding_answers_are_bounded_by_holding_the_client() -> None:
    play = logged_in(config(limits=Limits(in_flight=2))) >> FromClient(SYNC * 3) << ToUpstream(SYNC * 2)
    assert play.session.client_held
    play = play >> FromUpstream(READY) << ToUpstream(SYNC) << ToClient(READY)
    assert not play.session.client_held
    play.done()


def test_large_parameters_stream_once_the_names_are_decided() -> None:
    body = b"\0\0\0\1" + (1 << 20).to_bytes(4, "big") + bytes(1 << 20) + b"\0\0"
    whole = bind("", "s", body)
    play = prepared() >> FromClient(whole[:200]) << Asks("select 1") >> Allowed() << ToUpstream(whole[:200])
    for start in range(200, len(whole), 65536):
        piece = whole[start : start + 65536]
        play = play >> FromClient(piece) << ToUpstream(piece)
    play.done(cut=False)


def test_function_calls_are_asked_about_by_number() -> None:
    call = message("F", (1598).to_bytes(4, "big") + bytes(6))
    result = message("V", b"\0\0\0\1x")
    (
        logged_in()
        >> FromClient(call)
        << Asks("function_call oid=1598", "execute", function_oid=1598)
        >> Denied()
        << ToUpstream(PILL)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(denied() + READY)
        >> FromClient(call)
        << Asks("function_call oid=1598", function_oid=1598)
        >> Allowed()
        << ToUpstream(call)
        >> FromUpstream(result + READY_TX)
        << ToClient(result + READY_TX)
        << Finished("d2", Outcome(0, 0))
    ).done()


def test_a_text_is_not_read_in_a_pipeline_behind_a_change_of_its_reading() -> None:
    text = "set standard_conforming_strings = off"
    play = (
        logged_in()
        >> FromClient(parse(text))
        << Asks(text)
        >> Allowed()
        << ToUpstream(parse(text))
        >> FromClient(bind())
        << Asks(text)
        >> Allowed(("set",), ("standard_conforming_strings",))
        << ToUpstream(bind())
        >> FromClient(execute() + parse("select '\\'; drop table t; --'"))
        << ToUpstream(execute() + PILL_UNNAMED)
    )
    play.done()
    assert b"drop" not in play.trace.to_upstream


@pytest.mark.parametrize(
    "data",
    [
        message("B", b"no names"),
        message("E", b"p\0"),
        message("P", b"\0x\0\0\5"),
        message("C", b"S"),
        message("F", b"1"),
    ],
)
def test_malformed_messages(data: bytes) -> None:
    with pytest.raises(PeerError):
        logged_in() >> FromClient(data)
