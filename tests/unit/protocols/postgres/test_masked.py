"""Masks in force: lookups between the client's messages, rewritten texts, and what a sealed session lets through."""

from __future__ import annotations

import pytest

from hostagent.protocols.base import Finished, LookedUp
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.denial import Refused
from hostagent.protocols.postgres.lookup import Lookup
from hostagent.protocols.postgres.sealed import WITHHELD
from hostagent.values.decision import Outcome
from tests.unit.protocols.playbook import (
    Allowed,
    Asks,
    Denied,
    FromClient,
    FromUpstream,
    LooksUp,
    Playbook,
    Sealed,
    ToClient,
    ToUpstream,
)
from tests.unit.protocols.postgres.wire import (
    ANSWER,
    BOUND,
    CLOSED,
    PARAMETERS,
    PARSED,
    PILL,
    READY,
    READY_FAILED,
    SYNC,
    SYNTAX,
    bind,
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

FOUND = PARSED + BOUND + row(b"{}") + tag("SELECT 1") + CLOSED + CLOSED


def lookup(question: str, within: bool = False) -> bytes:
    return Lookup(within).messages(question.encode())


def finished(number: int, size: int = 15) -> Finished:
    return Finished(f"d{number}", Outcome(1, size))


def test_a_question_is_asked_and_the_masked_text_is_sent_in_the_place_of_the_clients() -> None:
    play = (
        logged_in()
        >> Sealed()
        >> FromClient(query("select ssn from users"))
        << Asks("select ssn from users")
        >> LooksUp("catalog")
        << ToUpstream(lookup("catalog"))
        >> FromUpstream(FOUND + READY)
        << LookedUp("{}", idle=True)
        >> Allowed(rewritten="select '***' from users")
        << ToUpstream(query("select '***' from users"))
        >> FromUpstream(ANSWER)
        << ToClient(ANSWER)
        << finished(1, 11)
    )
    assert b"ssn from users" not in play.trace.to_upstream
    play.done()


def test_the_question_waits_until_all_is_answered_as_a_copy_could_be_under_way() -> None:
    (
        logged_in()
        >> FromClient(query("copy t from stdin"))
        << Asks("copy t from stdin")
        >> Allowed(("copy_from",))
        << ToUpstream(query("copy t from stdin"))
        >> FromClient(query("select ssn from users"))
        << Asks("select ssn from users")
        >> LooksUp("catalog")
        >> FromUpstream(error("42P01") + READY)
        << ToUpstream(lookup("catalog"))
        << ToClient(error("42P01") + READY)
        << Finished("d1", Outcome(0, 0, "42P01"))
        >> FromUpstream(FOUND + READY)
        << LookedUp("{}", idle=True)
        >> Allowed(rewritten="select 1")
        << ToUpstream(query("select 1"))
    ).done(cut=False)


def test_within_a_batch_no_sync_is_sent_and_the_client_sees_no_answer_of_ours() -> None:
    (
        logged_in()
        >> FromClient(parse("select 1", "a") + bind("", "a") + execute() + parse("select ssn", "b") + SYNC)
        << Asks("select 1", "prepare")
        >> Allowed()
        << ToUpstream(parse("select 1", "a"))
        << Asks("select 1", "execute")
        >> Allowed()
        << ToUpstream(bind("", "a") + execute())
        << Asks("select ssn", "prepare")
        >> LooksUp("catalog")
        << ToUpstream(lookup("catalog", within=True))
        >> FromUpstream(PARSED + BOUND + row(b"1") + tag("SELECT 1") + FOUND)
        << ToClient(PARSED + BOUND + row(b"1") + tag("SELECT 1"))
        << finished(2, 11)
        << LookedUp("{}")
        >> Allowed(rewritten="select '***'")
        << ToUpstream(parse("select '***'", "b") + SYNC)
        >> FromUpstream(PARSED + READY)
        << ToClient(PARSED + READY)
    ).done()


def test_a_question_in_a_failed_transaction_denies_the_statement_and_no_more() -> None:
    (
        logged_in()
        >> FromClient(query("select broken"))
        << Asks("select broken")
        >> Allowed()
        << ToUpstream(query("select broken"))
        >> FromUpstream(error("42703") + READY_FAILED)
        << ToClient(error("42703") + READY_FAILED)
        << Finished("d1", Outcome(0, 0, "42703"))
        >> FromClient(query("select ssn from users"))
        << Asks("select ssn from users")
        >> LooksUp("catalog")
        << ToUpstream(lookup("catalog"))
        >> FromUpstream(error("25P02", text="aborted") + READY_FAILED)
        << LookedUp(None, "aborted (25P02)", "25P02")
        >> Denied("no catalog")
        << ToUpstream(PILL)
        >> FromUpstream(SYNTAX + READY_FAILED)
        << ToClient(denied("no catalog", number=2) + READY_FAILED)
    ).done()


def test_a_question_that_fails_within_a_batch_is_the_error_of_that_batch() -> None:
    told = m.error_response("ERROR", "42501", "the catalog could not be read: gone (42P01)")
    (
        logged_in()
        >> FromClient(parse("select 1", "a") + parse("select ssn", "b") + SYNC)
        << Asks("select 1", "prepare")
        >> Allowed()
        << ToUpstream(parse("select 1", "a"))
        << Asks("select ssn", "prepare")
        >> LooksUp("catalog")
        << ToUpstream(lookup("catalog", within=True))
        >> FromUpstream(PARSED + error("42P01", text="gone"))
        << ToClient(PARSED + told)
        << LookedUp(None, "gone (42P01)", "42P01")
        >> Denied("no catalog")
        << ToUpstream(SYNC)
        >> FromUpstream(READY)
        << ToClient(READY)
    ).done()


def test_an_earlier_error_of_the_batch_answers_the_question() -> None:
    (
        logged_in()
        >> FromClient(parse("selec", "a") + parse("select ssn", "b") + SYNC)
        << Asks("selec", "prepare")
        >> Allowed()
        << ToUpstream(parse("selec", "a"))
        << Asks("select ssn", "prepare")
        >> LooksUp("catalog")
        << ToUpstream(lookup("catalog", within=True))
        >> FromUpstream(error("42601"))
        << ToClient(error("42601"))
        << LookedUp(None, "an earlier statement of the batch failed")
        >> Denied()
        << ToUpstream(SYNC)
        >> FromUpstream(READY)
        << ToClient(READY)
    ).done()


def test_a_question_that_comes_after_the_batch_had_failed_is_answered_at_once() -> None:
    """The server would skip it: asked all the same, its answers were waited for behind a ReadyForQuery."""
    (
        logged_in()
        >> FromClient(parse("selec", "a") + parse("select ssn", "b") + SYNC)
        << Asks("selec", "prepare")
        >> Allowed()
        << ToUpstream(parse("selec", "a"))
        << Asks("select ssn", "prepare")
        >> FromUpstream(error("42601"))
        << ToClient(error("42601"))
        >> LooksUp("catalog")
        << LookedUp(None, "an earlier statement of the batch failed")
        >> Denied()
        << ToUpstream(SYNC)
        >> FromUpstream(READY)
        << ToClient(READY)
    ).done()


def masked_and_prepared() -> Playbook:
    return (
        logged_in()
        >> Sealed()
        >> FromClient(parse("select ssn", "s") + SYNC)
        << Asks("select ssn", "prepare")
        >> Allowed(rewritten="select '***'")
        << ToUpstream(parse("select '***'", "s") + SYNC)
        >> FromUpstream(PARSED + READY)
        << ToClient(PARSED + READY)
    )


def test_a_prepared_statement_runs_as_it_was_masked() -> None:
    (
        masked_and_prepared()
        >> FromClient(bind("", "s") + execute() + SYNC)
        << Asks("select ssn", "execute")
        >> Allowed(rewritten="select '***'")
        << ToUpstream(bind("", "s") + execute() + SYNC)
    ).done()


@pytest.mark.parametrize("now", ["select left('***', 1)", None])
def test_a_prepared_statement_masked_otherwise_since_has_to_be_prepared_again(now: str | None) -> None:
    play = (
        masked_and_prepared()
        >> FromClient(bind("", "s") + execute() + SYNC)
        << Asks("select ssn", "execute")
        >> Allowed(rewritten=now)
    )
    assert bind("", "s") not in play.trace.to_upstream
    play._outputs.clear()
    play >> FromUpstream(SYNTAX + READY)
    assert b"prepared statement was masked by another policy" in play.trace.to_client
    assert b"Prepare it again" in play.trace.to_client


def test_a_statement_prepared_before_there_were_masks_has_to_be_prepared_again() -> None:
    play = (
        logged_in()
        >> FromClient(parse("select ssn", "s") + SYNC)
        << Asks("select ssn", "prepare")
        >> Allowed()
        << ToUpstream(parse("select ssn", "s") + SYNC)
        >> FromUpstream(PARSED + READY)
        << ToClient(PARSED + READY)
        >> Sealed()
        >> FromClient(bind("", "s") + execute() + SYNC)
        << Asks("select ssn", "execute")
        >> Allowed(rewritten="select '***'")
    )
    assert bind("", "s") not in play.trace.to_upstream


def answered(server: bytes, shape: tuple[str | None, ...] | None = None) -> bytes:
    play = (
        logged_in()
        >> Sealed(frozenset({(7, 3)}))
        >> FromClient(query("select 1"))
        << Asks("select 1")
        >> Allowed(rewritten="select 1", shape=shape)
        << ToUpstream(query("select 1"))
    )
    before = len(play.trace.to_client)
    play >> FromUpstream(server)
    return bytes(play.trace.to_client[before:])


@pytest.mark.parametrize("code", ["22P02", "23514", "P0001", "XX000", "38000", ""])
def test_texts_that_can_quote_a_value_are_built_again(code: str) -> None:
    fields = {"S": "ERROR", "V": "ERROR", "C": code, "M": "987-65", "D": "row 987-65", "H": "987-65", "W": "987-65"}
    shown = answered(m.report(m.ERROR, {**fields, "P": "8", "q": "987-65", "n": "users_check"}) + READY)
    assert b"987-65" not in shown and WITHHELD.encode() in shown
    assert b"P8\0" in shown and b"nusers_check\0" in shown and shown.endswith(READY)


def test_texts_that_speak_of_the_statement_stay() -> None:
    shown = answered(error("42P01", text='relation "nope" does not exist') + READY)
    assert b'relation "nope" does not exist' in shown


def test_notices_are_built_again() -> None:
    notice = m.report(m.NOTICE, {"S": "NOTICE", "C": "00000", "M": "987-65", "D": "987-65"})
    assert b"987-65" not in answered(notice + ANSWER)
    assert ANSWER in answered(notice + ANSWER)


def columns(oid: int, number: int) -> bytes:
    return message("T", b"\0\1ssn\0" + oid.to_bytes(4, "big") + number.to_bytes(2, "big") + bytes(12))


def test_a_result_with_a_masked_column_ends_the_session_before_any_row() -> None:
    shown = answered(columns(7, 3) + row(b"987-65") + tag("SELECT 1") + READY)
    assert b"987-65" not in shown
    assert shown == Refused("42501", "denied by policy: the server answered with a masked column").response()


def test_a_result_with_another_column_of_that_relation_passes() -> None:
    whole = columns(7, 2) + row(b"1") + tag("SELECT 1") + READY
    assert answered(whole) == whole


OTHERS = Refused("42501", "denied by policy: the server answered with other columns than the statement names")


def described(*names: str) -> bytes:
    return message("T", len(names).to_bytes(2, "big") + b"".join(name.encode() + b"\0" + bytes(18) for name in names))


@pytest.mark.parametrize(
    ("names", "promised", "kept"),
    [
        (("id", "x"), ("id", "x"), True),
        (("id", "x"), ("id", None), True),
        (("id", "x"), None, True),
        ((), (), True),
        (("größe",), ("grösse-in-another-encoding-é",), True),
        (("a" * 63,), ("a" * 64,), True),
        (("id", "ssn"), ("id", "x"), False),
        (("id",), ("id", "x"), False),
        (("id", "x", "ssn"), ("id", "x"), False),
        (("ssn",), (), False),
    ],
)
def test_a_result_has_the_columns_that_the_statement_promised(
    names: tuple[str, ...], promised: tuple[str | None, ...] | None, kept: bool
) -> None:
    whole = described(*names) + row(b"987-65") + tag("SELECT 1") + READY
    assert answered(whole, promised) == (whole if kept else OTHERS.response())


@pytest.mark.parametrize("by", ["S", "P"])
@pytest.mark.parametrize("names", [("a", "b"), ("a", "c")])
def test_so_has_what_is_described_of_a_prepared_statement_or_portal(by: str, names: tuple[str, ...]) -> None:
    play = (
        logged_in()
        >> Sealed()
        >> FromClient(parse("select x", "s") + bind("p", "s") + describe(by, "s" if by == "S" else "p") + SYNC)
        << Asks("select x", "prepare")
        >> Allowed(rewritten="select y", shape=("a", "b"))
        << ToUpstream(parse("select y", "s"))
        << Asks("select x", "execute")
        >> Allowed(rewritten="select y", shape=("a", "b"))
        << ToUpstream(bind("p", "s") + describe(by, "s" if by == "S" else "p") + SYNC)
    )
    before = len(play.trace.to_client)
    parameters = PARAMETERS if by == "S" else b""
    play >> FromUpstream(PARSED + BOUND + parameters + described(*names) + READY)
    shown = bytes(play.trace.to_client[before:])
    if names == ("a", "b"):
        assert shown == PARSED + BOUND + parameters + described(*names) + READY
    else:
        assert shown.endswith(OTHERS.response())


def test_a_name_that_may_mean_another_statement_to_the_server_promises_nothing() -> None:
    (
        logged_in()
        >> Sealed()
        >> FromClient(parse("select x", "s") + SYNC + describe("S", "s") + SYNC)
        << Asks("select x", "prepare")
        >> Allowed(rewritten="select y", shape=("a",))
        << ToUpstream(parse("select y", "s") + SYNC + describe("S", "s") + SYNC)
        >> FromUpstream(error("42P05") + READY + PARAMETERS + described("of", "another") + READY)
        << ToClient(error("42P05") + READY + PARAMETERS + described("of", "another") + READY)
    ).done(cut=False)


def test_what_was_decided_before_there_were_masks_is_not_sent_with_them() -> None:
    play = (
        logged_in()
        >> FromClient(query("select ssn"))
        << Asks("select ssn")
        >> Sealed()
        >> Allowed()
        << ToUpstream(PILL)
        << Finished("d1", Outcome(0, 0, "0A000"))
        >> FromUpstream(SYNTAX + READY)
    )
    assert b"masks came into force" in play.trace.to_client


def test_what_was_let_through_and_is_dropped_as_the_batch_had_failed_by_then_has_an_outcome() -> None:
    (
        logged_in()
        >> FromClient(parse("select x", "a") + bind("", "a") + execute() + SYNC)
        << Asks("select x", "prepare")
        >> Allowed()
        << ToUpstream(parse("select x", "a"))
        << Asks("select x", "execute")
        >> FromUpstream(error("42P01"))
        << ToClient(error("42P01"))
        >> Allowed()
        << ToUpstream(SYNC)
        << Finished("d2", Outcome(0, 0, "25P02"))
    ).done(cut=False)


def test_what_is_on_its_way_when_the_flow_ends_was_cut_off() -> None:
    play = (
        logged_in() >> FromClient(query("select 1")) << Asks("select 1") >> Allowed() << ToUpstream(query("select 1"))
    )
    play.session.ended()
    assert play.session.commands == [Finished("d1", Outcome(0, 0, "08006"))]
