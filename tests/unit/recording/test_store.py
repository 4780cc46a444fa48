"""The index: made from the journals, incrementally, and made again when it is deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.recording import event
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal, RecordingError
from hostagent.recording.store import Filter, Store
from tests.unit.recording.conftest import write_flow


def test_decisions_and_how_they_ended_are_one_row(state: Directory) -> None:
    store = Store(state.index)
    assert store.index_journals(state.journal) >= 14
    assert store.index_journals(state.journal) == 0
    (allowed, *_) = store.query_events(Filter(decision="f00-1.1", kinds=("decided",)), 10)
    row = allowed.row
    assert (row.verdict, row.rows, row.bytes, row.duration_us, row.pid) == ("allow", 1, 100, 1500, 4711)
    assert (row.unit, row.target, row.user, row.text) == ("runner.service", "shop", "app", "SELECT 1")
    denied = store.query_events(Filter(verdict="deny", actor="psql", target="shop"), 100)
    assert [stored.row.decision for stored in denied] == ["f00-1.2", "f00-1.4", "f00-1.6"]
    assert not store.query_events(Filter(actor="nobody"), 100)
    assert not store.query_events(Filter(since_ms=1 << 60), 100)
    line = (state.journal / denied[0].file).read_bytes()[denied[0].offset :][: denied[0].length]
    assert b'"f00-1.2"' in line


def test_filters_admit_what_the_index_finds(state: Directory) -> None:
    store = Store(state.index)
    store.index_journals(state.journal)
    every = store.query_events(Filter(), 1000)
    for wanted in (
        Filter(verdict="deny"),
        Filter(actor="runner"),
        Filter(kinds=("decided",)),
        Filter(without=("decided",)),
    ):
        assert store.query_events(wanted, 1000) == [stored for stored in every if wanted.admits(stored.row)]


def test_new_lines_are_added_and_a_deleted_index_is_made_again(state: Directory, context: event.FlowContext) -> None:
    store = Store(state.index)
    store.index_journals(state.journal)
    journal = Journal(state.journal, "worker0")
    journal.append(event.flow_opened(context))
    journal.close()
    assert store.index_journals(state.journal) == 1
    rows = store.query_events(Filter(), 1000)
    store.close()
    for path in state.path.glob("index.sqlite*"):
        path.unlink()
    again = Store(state.index)
    again.index_journals(state.journal)
    assert sorted(s.row.time for s in again.query_events(Filter(), 1000)) == sorted(s.row.time for s in rows)


def test_an_unfinished_line_waits(state: Directory) -> None:
    store = Store(state.index)
    store.index_journals(state.journal)
    path = sorted(state.journal.glob("worker0-*"))[-1]
    with path.open("ab") as file:
        file.write(b'{"half')
    assert store.index_journals(state.journal) == 0


def test_what_retention_removed_is_forgotten(state: Directory) -> None:
    store = Store(state.index)
    store.index_journals(state.journal)
    for path in state.journal.glob("worker0-*"):
        path.unlink()
    store.index_journals(state.journal)
    assert {stored.row.kind for stored in store.query_events(Filter(), 1000)} == {"ready", "stopped"}


def test_sessions_are_summed_up(tmp_path: Path, context: event.FlowContext) -> None:
    directory = Directory(tmp_path)
    write_flow(directory, context)
    store = Store(":memory:")
    store.index_journals(directory.journal)
    (session,) = store.sessions(Filter(), 10)
    assert (session.requests, session.denied, session.user, session.database) == (6, 3, "app", "shop")
    assert session.closed is not None and (session.bytes_client, session.bytes_upstream) == (10, 20)


def test_a_file_that_is_no_index_is_told(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(RecordingError, match="not a database"):
        Store(tmp_path / "index.sqlite")
