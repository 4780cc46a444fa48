"""COPY in and out, and rows of any size, in constant memory."""

from __future__ import annotations

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.base import Finished
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
    COLUMNS,
    FLUSH,
    PILL,
    READY,
    SYNC,
    SYNTAX,
    bind,
    denied,
    error,
    execute,
    logged_in,
    message,
    parse,
    query,
    tag,
)
from tests.unit.protocols.postgres.wire import PARSED as PARSE_COMPLETE

COPY_IN, COPY_OUT = message("G", b"\0\0\0"), message("H", b"\0\0\0")
DATA, DONE, FAIL = message("d", b"1\n"), message("c"), message("f", b"stop\0")


def copying() -> Playbook:
    return (
        logged_in()
        >> FromClient(query("copy t from stdin"))
        << Asks("copy t from stdin")
        >> Allowed(("copy_from",))
        << ToUpstream(query("copy t from stdin"))
        >> FromUpstream(COPY_IN)
        << ToClient(COPY_IN)
    )


def test_copy_in() -> None:
    (
        copying()
        >> FromClient(DATA * 3 + DONE)
        << ToUpstream(DATA * 3 + DONE)
        >> FromUpstream(tag("COPY 3") + READY)
        << ToClient(tag("COPY 3") + READY)
        << Finished("d1", Outcome(3, 22))
        >> FromClient(query("select 1"))
        << Asks("select 1")
    ).done()


def test_copy_in_that_the_client_fails() -> None:
    (
        copying()
        >> FromClient(FAIL)
        << ToUpstream(FAIL)
        >> FromUpstream(error("57014") + READY)
        << ToClient(error("57014") + READY)
        << Finished("d1", Outcome(0, 9, "57014"))
    ).done()


def test_copy_in_that_the_server_fails_drops_what_still_comes() -> None:
    (
        copying()
        >> FromClient(DATA)
        << ToUpstream(DATA)
        >> FromUpstream(error("22P02") + READY)
        << ToClient(error("22P02") + READY)
        << Finished("d1", Outcome(0, 6, "22P02"))
        >> FromClient(DATA + DONE + query("select 1"))
        << Asks("select 1")
    ).done()


def test_sync_and_flush_inside_copy_data_are_the_servers_to_ignore() -> None:
    (copying() >> FromClient(DATA + FLUSH + SYNC + DATA) << ToUpstream(DATA + DATA)).done()


def test_statements_do_not_belong_into_copy_data() -> None:
    with pytest.raises(PeerError):
        copying() >> FromClient(query("select 1"))


def extended() -> Playbook:
    return (
        logged_in()
        >> FromClient(parse("copy t from stdin"))
        << Asks("copy t from stdin")
        >> Allowed()
        << ToUpstream(parse("copy t from stdin"))
        >> FromClient(bind())
        << Asks("copy t from stdin")
        >> Allowed(("copy_from",))
        << ToUpstream(bind())
        >> FromClient(execute() + SYNC)
        << ToUpstream(execute() + SYNC)
        >> FromUpstream(PARSE_COMPLETE + BOUND + COPY_IN)
        << ToClient(PARSE_COMPLETE + BOUND + COPY_IN)
    )


def test_copy_in_swallows_the_sync_that_was_sent_with_it() -> None:
    (
        extended()
        >> FromClient(DATA + DONE + SYNC)
        << ToUpstream(DATA + DONE + SYNC)
        >> FromUpstream(tag("COPY 1") + READY)
        << ToClient(tag("COPY 1") + READY)
        << Finished("d2", Outcome(1, 10))
        >> FromClient(query("select 1"))
        << Asks("select 1")
    ).done()


def test_copy_in_that_fails_before_it_reads_may_answer_that_sync_as_well() -> None:
    (
        extended()
        >> FromUpstream(error("P0001") + READY)
        << ToClient(error("P0001") + READY)
        << Finished("d2", Outcome(0, 0, "P0001"))
        >> FromClient(DATA + DONE + SYNC)
        << ToUpstream(SYNC)
        >> FromUpstream(READY)
        << ToClient(READY)
    ).done()


def test_data_sent_without_waiting_is_held_until_the_copy_begins() -> None:
    play = (
        logged_in()
        >> FromClient(query("copy t from stdin"))
        << Asks("copy t from stdin")
        >> Allowed()
        << ToUpstream(query("copy t from stdin"))
        >> FromClient(DATA + DONE)
    )
    assert play.session.client_held
    (play >> FromUpstream(COPY_IN) << ToUpstream(DATA + DONE) << ToClient(COPY_IN)).done()


def test_data_for_a_denied_copy_is_dropped() -> None:
    (
        logged_in()
        >> FromClient(query("copy t from stdin"))
        << Asks("copy t from stdin")
        >> Denied()
        << ToUpstream(PILL)
        >> FromClient(DATA + DONE)
        >> FromUpstream(SYNTAX + READY)
        << ToClient(denied() + READY)
        >> FromClient(query("select 1"))
        << Asks("select 1")
    ).done()


def test_copy_out() -> None:
    out = COPY_OUT + DATA * 2 + DONE + tag("COPY 2") + READY
    (
        logged_in()
        >> FromClient(query("copy t to stdout"))
        << Asks("copy t to stdout")
        >> Allowed()
        << ToUpstream(query("copy t to stdout"))
        >> FromUpstream(out)
        << ToClient(out)
        << Finished("d1", Outcome(2, 12))
    ).done()


def test_a_row_of_a_gigabyte_passes_in_pieces() -> None:
    size = (1 << 30) - 1
    play = logged_in() >> FromClient(query("big")) << Asks("big") >> Allowed() << ToUpstream(query("big"))
    header = COLUMNS + b"D" + size.to_bytes(4, "big")
    play = play >> FromUpstream(header) << ToClient(header)
    session, chunk, left = play.session, bytes(1 << 20), size - 4
    while left:
        piece = chunk[: min(left, len(chunk))]
        session.upstream_data(piece)
        assert session.to_client == [piece]
        session.to_client.clear()
        session.captured.clear()
        left -= len(piece)
    play = play >> FromUpstream(tag("SELECT 1") + READY) << ToClient(tag("SELECT 1") + READY)
    play = play << Finished("d1", Outcome(1, size))
    play.done(cut=False)


def test_a_chunk_in_which_all_passes_goes_out_as_it_came() -> None:
    play = logged_in() >> FromClient(query("q")) << Asks("q") >> Allowed() << ToUpstream(query("q"))
    chunk = COLUMNS + message("D", b"\0\0") * 1000 + tag("SELECT 1000") + READY
    play.session.upstream_data(chunk)
    assert play.session.to_client[0] is chunk
