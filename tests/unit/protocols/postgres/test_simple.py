"""Simple query: decided, forwarded, denied, and the state the client sees afterwards."""

from __future__ import annotations

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.base import Close, Finished, Leg
from hostagent.protocols.postgres import Limits
from hostagent.protocols.postgres import messages as m
from hostagent.values.decision import Outcome, Verdict
from tests.unit.protocols.playbook import (
    Allowed,
    Asks,
    ClientEof,
    Denied,
    FromClient,
    FromUpstream,
    ToClient,
    ToUpstream,
    UpstreamLost,
)
from tests.unit.protocols.postgres.wire import (
    ANSWER,
    COLUMNS,
    EMPTY,
    PILL,
    READY,
    READY_FAILED,
    READY_TX,
    SYNTAX,
    TERMINATE,
    begun,
    config,
    denied,
    error,
    logged_in,
    message,
    query,
    row,
    status,
    tag,
)


def test_an_allowed_query_passes_and_is_reported() -> None:
    play = (
        logged_in()
        >> FromClient(query("select 1"))
        << Asks("select 1", "execute", schemas=("public",))
        >> Allowed()
        << ToUpstream(query("select 1"))
        >> FromUpstream(ANSWER)
        << ToClient(ANSWER)
        << Finished("d1", Outcome(1, 11))
    )
    play.done()
    assert play.trace.captured[Leg.CLIENT] == query("select 1")
    assert bytes(play.trace.captured[Leg.UPSTREAM]).endswith(READY + ANSWER)


def test_observe_forwards_as_allow_does() -> None:
    (
        logged_in()
        >> FromClient(query("select 1"))
        << Asks("select 1")
        >> Allowed(verdict=Verdict.OBSERVE)
        << ToUpstream(query("select 1"))
    ).done()


def test_a_denied_query_becomes_a_pill_and_the_server_raises_the_error() -> None:
    play = (
        logged_in()
        >> FromClient(query("drop table t"))
        << Asks("drop table t")
        >> Denied()
        << ToUpstream(PILL)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(denied() + READY)
        >> FromClient(query("select 1"))
        << Asks("select 1")
        >> Allowed()
        << ToUpstream(query("select 1"))
        >> FromUpstream(ANSWER)
        << ToClient(ANSWER)
        << Finished("d2", Outcome(1, 11))
    )
    play.done()
    assert query("drop table t") in play.trace.captured[Leg.CLIENT]
    assert b"42601" not in play.trace.to_client


def test_what_cannot_be_parsed_is_told_as_the_server_tells_it_with_its_place() -> None:
    told = m.error_response("ERROR", "42601", 'syntax error at or near "t"', position=15)
    play = (
        logged_in()
        >> FromClient(query("select é form t x"))
        << Asks("select é form t x")
        >> Denied("the statement cannot be parsed", "", told='syntax error at or near "t"', position=15)
        << ToUpstream(PILL)
        >> FromUpstream(SYNTAX + READY_FAILED)
        << ToClient(told + READY_FAILED)
    )
    play.done()
    assert b"P15\0" in told and b"V" + b"ERROR\0" in told
    assert b"P" not in {field[:1] for field in denied()[5:].split(b"\0")}


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.APPROVE])
def test_only_allow_and_observe_forward(verdict: Verdict) -> None:
    (
        logged_in()
        >> FromClient(query("x"))
        << Asks("x")
        >> Allowed(verdict=verdict)
        << ToUpstream(PILL)
        >> FromUpstream(SYNTAX + READY_FAILED)
        << ToClient(denied("yes") + READY_FAILED)
    ).done()


def test_queries_behind_an_unanswered_one_wait_in_order() -> None:
    (
        logged_in()
        >> FromClient(query("first") + query("drop second") + query("third"))
        << Asks("first")
        >> Allowed()
        << ToUpstream(query("first"))
        << Asks("drop second")
        >> FromUpstream(ANSWER)
        << ToClient(ANSWER)
        << Finished("d1", Outcome(1, 11))
        >> Denied()
        << ToUpstream(PILL)
        << Asks("third")
        >> Allowed()
        << ToUpstream(query("third"))
        >> FromUpstream(SYNTAX + READY_TX + ANSWER)
        << ToClient(denied(number=2) + READY_TX + ANSWER)
        << Finished("d3", Outcome(1, 11))
    ).done(cut=False)  # cut, the later questions come with later pieces


def test_pipelined_denials_each_get_their_own_error() -> None:
    play = logged_in()
    for name in ("drop a", "drop b"):
        play = play >> FromClient(query(name)) << Asks(name) >> Denied(reason=name) << ToUpstream(PILL)
    play = (
        play
        >> FromUpstream(SYNTAX + READY + SYNTAX + READY)
        << ToClient(denied("drop a") + READY + denied("drop b", number=2) + READY)
    )
    play.done()


def test_an_error_that_is_not_the_pills_is_left_alone() -> None:
    fatal = error("57P01", "FATAL", "terminating connection")
    (
        logged_in()
        >> FromClient(query("drop x"))
        << Asks("drop x")
        >> Denied()
        << ToUpstream(PILL)
        >> FromUpstream(fatal)
        << ToClient(fatal)
        >> UpstreamLost()
        << Close()
    ).done()


def test_an_honest_syntax_error_is_left_alone() -> None:
    (
        logged_in()
        >> FromClient(query("selct"))
        << Asks("selct")
        >> Allowed()
        << ToUpstream(query("selct"))
        >> FromUpstream(SYNTAX + READY)
        << ToClient(SYNTAX + READY)
        << Finished("d1", Outcome(0, 0, "42601"))
    ).done()


def test_a_batch_is_one_decision_and_one_report() -> None:
    text = "select 1; insert into t values (2), (3)"
    answer = COLUMNS + row(b"1") + tag("SELECT 1") + tag("INSERT 0 2") + READY
    (
        logged_in()
        >> FromClient(query(text))
        << Asks(text)
        >> Allowed()
        << ToUpstream(query(text))
        >> FromUpstream(answer)
        << ToClient(answer)
        << Finished("d1", Outcome(3, 11))
    ).done()


def test_an_empty_query() -> None:
    (
        logged_in()
        >> FromClient(query(""))
        << Asks("")
        >> Allowed()
        << ToUpstream(query(""))
        >> FromUpstream(EMPTY + READY)
        << ToClient(EMPTY + READY)
        << Finished("d1", Outcome(0, 0))
    ).done()


def test_notices_notifications_and_statuses_pass_at_any_time() -> None:
    aside = message("N", b"SNOTICE\0\0") + message("A", bytes(4) + b"c\0p\0") + status("TimeZone", "UTC")
    (
        logged_in()
        >> FromUpstream(aside)
        << ToClient(aside)
        >> FromClient(query("x"))
        << Asks("x")
        >> Allowed()
        << ToUpstream(query("x"))
        >> FromUpstream(aside + tag("DO") + aside + READY)
        << ToClient(aside + tag("DO") + aside + READY)
        << Finished("d1", Outcome(0, 0))
    ).done()


def test_a_recorded_text_replaces_the_password() -> None:
    play = (
        logged_in()
        >> FromClient(query("alter role x password 'hunter2'"))
        << Asks("alter role x password 'hunter2'")
        >> Allowed(text="alter role x password '***'")
        << ToUpstream(query("alter role x password 'hunter2'"))
    )
    play.done()
    assert play.trace.captured[Leg.CLIENT] == query("alter role x password '***'")


@pytest.mark.parametrize(("size", "passes"), [(100, True), (101, False)])
def test_a_statement_beyond_the_limit_is_denied_and_the_session_goes_on(size: int, passes: bool) -> None:
    text = "x" * (size - 6)
    play = logged_in(config(limits=Limits(statement=100))) >> FromClient(query(text))
    if passes:
        (play << Asks(text) >> Allowed() << ToUpstream(query(text))).done()
        return
    why = "a statement of 101 bytes is beyond the limit of 100"
    refused = m.error_response(
        "ERROR", "42501", f"denied: {why}", "What cannot be read is not forwarded to the server.",
        "The operator of this host finds it as decision d1.",
    )  # fmt: skip
    play = (
        play
        << Asks(why, wire="unreadable")
        >> Allowed()
        << ToUpstream(PILL)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(refused + READY)
        >> FromClient(query("ok"))
        << Asks("ok")
    )
    play.done(cut=False)
    assert text.encode() not in play.trace.to_upstream


@pytest.mark.parametrize("policy", [Allowed(), Denied()])
def test_a_text_that_cannot_be_decoded_is_denied_whatever_policy_says(policy: Allowed | Denied) -> None:
    play = (
        logged_in()
        >> FromClient(m.query(b"select '\xff'"))
        << Asks("the statement is not valid UTF8", wire="unreadable")
        >> policy
        << ToUpstream(PILL)
    )
    play.done()
    assert not play.trace.captured[Leg.CLIENT]


def test_text_is_read_in_the_clients_encoding() -> None:
    latin = status("client_encoding", "LATIN1")
    raw = m.query(b"select '\xe9'")
    (
        logged_in()
        >> FromUpstream(latin)
        << ToClient(latin)
        >> FromClient(raw)
        << Asks("select 'é'")
        >> Allowed()
        << ToUpstream(raw)
    ).done()


@pytest.mark.parametrize(
    ("name", "value"),
    [("client_encoding", "SJIS"), ("client_encoding", "nonsense"), ("standard_conforming_strings", "off")],
)
def test_a_status_that_changes_the_reading_ends_the_session(name: str, value: str) -> None:
    play = logged_in() >> FromUpstream(message("N", b"\0") + status(name, value))
    assert b"FATAL" in play.trace.to_client
    assert isinstance(play.trace.commands[-1], Close)
    assert status(name, value) not in play.trace.to_client
    play.session.client_data(query("select 1"))
    assert not play.session.to_upstream


def test_schemas_stay_known_until_something_may_move_them() -> None:
    def ask(play, text, schemas, kinds, settings=()):  # type: ignore[no-untyped-def]
        return (
            play
            >> FromClient(query(text))
            << Asks(text, schemas=schemas)
            >> Allowed(kinds, settings)
            << ToUpstream(query(text))
            >> FromUpstream(tag("OK") + READY)
            << ToClient(tag("OK") + READY)
            << Finished(f"d{len([c for c in play.trace.commands if isinstance(c, Finished)])}", Outcome(0, 0))
        )

    play = ask(logged_in(), "set application_name = 'x'", ("public",), ("set",), ("application_name",))
    play = ask(play, "set search_path = a", ("public",), ("set",), ("search_path",))
    play = ask(play, "select 1", None, ("select",))
    play.done()


def test_nothing_is_read_behind_a_change_of_encoding_before_its_answer() -> None:
    text = "set client_encoding = 'latin1'"
    latin = status("client_encoding", "LATIN1")
    (
        logged_in()
        >> FromClient(query(text) + m.query(b"select '\xe9'"))
        << Asks(text)
        >> Allowed(("set",), ("client_encoding",))
        << ToUpstream(query(text))
        >> FromUpstream(tag("SET") + latin + READY)
        << ToClient(tag("SET") + latin + READY)
        << Finished("d1", Outcome(0, 0))
        << Asks("select 'é'")
    ).done()


def test_terminate_ends_the_session_and_reports_what_was_cut_off() -> None:
    (
        logged_in()
        >> FromClient(query("select pg_sleep(9)"))
        << Asks("select pg_sleep(9)")
        >> Allowed()
        << ToUpstream(query("select pg_sleep(9)"))
        >> FromClient(TERMINATE)
        << ToUpstream(TERMINATE)
        << Close()
        << Finished("d1", Outcome(0, 0, "08006"))
    ).done()


def test_the_clients_end_ends_the_session() -> None:
    (logged_in() >> ClientEof() << Close()).done()


def test_losing_the_server_is_told() -> None:
    play = logged_in() >> UpstreamLost("connection reset")
    assert b"C08006\0Mtarget shop: connection reset\0" in play.trace.to_client
    assert play.trace.commands[-1] == Close("connection reset")


@pytest.mark.parametrize(
    "data",
    [
        message("y"),
        b"Q\0\0\0\3",
        b"Q\xff\xff\xff\xff",
        message("Q", b"no end"),
        message("Q", b"a\0b\0"),
        message("p", b"x\0"),
        message("S", b"x"),
        message("D", b"X\0"),
    ],
)
def test_what_a_client_may_not_send(data: bytes) -> None:
    play = logged_in()
    with pytest.raises(PeerError):
        play >> FromClient(data)
    assert b"C08P01" in play.trace.to_client
    play.session.client_data(query("x"))
    assert not play.session.commands


@pytest.mark.parametrize(
    "data",
    [
        message("y"),
        message("W", b"\0\0\0"),
        READY,
        COLUMNS,
        row(b"1"),
        tag("SELECT 1"),
        b"D\0\0\0\1",
        message("Z", b"x"),
        message("E", b"Sx"),
        message("R", bytes(4)),
    ],
)
def test_what_a_server_may_not_send_unasked(data: bytes) -> None:
    play = logged_in()
    with pytest.raises(PeerError):
        play >> FromUpstream(data)
    assert play.trace.to_client.endswith(b"\0\0")


def test_a_server_that_runs_the_pill_is_not_believed() -> None:
    play = logged_in() >> FromClient(query("x")) << Asks("x") >> Denied() << ToUpstream(PILL)
    with pytest.raises(PeerError):
        play >> FromUpstream(ANSWER)


def test_repr_says_where_it_stands() -> None:
    assert repr(begun().session) == "<PostgresSession shop: waits for the client's startup message>"
    assert repr(logged_in().session) == "<PostgresSession shop: statements>"
