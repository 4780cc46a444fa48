from __future__ import annotations

from hostagent.protocols.mysql.denial import err
from hostagent.protocols.mysql.packets import as_lenenc_bytes, packet
from hostagent.recording.reading import Captured, Note, Recording
from hostagent.recording.transcript import Line, Statement, Step, Table, transcript
from tests.unit.protocols.mysql.wire import command, eof, ok, query, result, row

HEADER = {"flow": "f", "target": "shop", "facts": {"protocol": "mysql"}}


def steps(*entries: tuple[str, bytes] | Note) -> list[Step]:
    made = [e if isinstance(e, Note) else Captured(i, *e) for i, e in enumerate(entries)]
    return transcript(Recording(HEADER, made, False))


def shown(*entries: tuple[str, bytes] | Note) -> list[object]:
    return [
        step.text if isinstance(step, Statement) else (step.columns, step.rows) if isinstance(step, Table)
        else (step.kind, step.text)
        for step in steps(*entries)
    ]  # fmt: skip


def test_a_query_and_its_rows_in_both_forms() -> None:
    for deprecate_eof in (True, False):
        answer = result((b"1", None), (b"2", b"b"), deprecate_eof=deprecate_eof)
        assert shown(("client", query("SELECT 1")), ("upstream", answer[:20]), ("upstream", answer[20:])) == [
            "SELECT 1", (["c", "c"], [["1", None], ["2", "b"]])
        ]  # fmt: skip
        empty = packet(1, b"\x01") + column_of(2, 0xFD) + (ok(3, kind=0xFE) if deprecate_eof else eof(3) + eof(4))
        assert shown(("client", query("SELECT 1")), ("upstream", empty)) == ["SELECT 1", (["n"], [])]


def column_of(sequence: int, kind: int, flags: int = 0) -> bytes:
    names = b"".join(as_lenenc_bytes(name) for name in (b"def", b"shop", b"t", b"t", b"n", b"n"))
    tail = b"\x0c\x2d\0" + bytes(4) + bytes((kind,)) + flags.to_bytes(2, "little") + bytes(3)
    return packet(sequence, names + tail)


def test_what_was_prepared_is_named_when_it_runs() -> None:
    prepared = packet(1, b"\0" + (5).to_bytes(4, "little") + b"\x01\0\0\0\0\0\0") + column_of(2, 0x08)
    rows = packet(1, b"\x01") + column_of(2, 0x01, 0x20) + packet(3, b"\0\0\xff") + packet(4, b"\0\x04")
    assert shown(
        ("client", command(0x16, b"SELECT n")), ("upstream", prepared),
        ("client", command(0x17, (5).to_bytes(4, "little") + bytes(5))), ("upstream", rows + ok(5, kind=0xFE)),
    ) == ["SELECT n  -- prepared", "SELECT n  -- executed", (["n"], [["255"], [None]])]  # fmt: skip


def test_several_results_errors_and_decisions() -> None:
    note = Note(0, "decision", {"verdict": "deny", "rule": "", "reason": "no"})
    more = result((b"1",), status=0x000A)
    assert shown(
        ("client", query("SELECT 1; DELETE FROM t")), ("upstream", more), ("upstream", ok(5, affected=3)),
        note, ("client", query("DROP TABLE t")), ("upstream", err(1, 1142, "42000", "denied")),
        ("client", command(0x02, b"shop")), ("upstream", ok(1)),
    ) == [
        "SELECT 1; DELETE FROM t", (["c"], [["1"]]), ("done", "OK, rows affected: 3"),
        ("decision", "deny by no rule: no"), "DROP TABLE t", ("error", "ERROR 1142 (42000):  denied"),
        "USE `shop`", ("done", "OK, rows affected: 0"),
    ]  # fmt: skip


def test_what_was_left_out_is_skipped_up_to_the_next_turn() -> None:
    cut = result((b"1",), (b"2",))[:-30] + row(4, b"x" * 100)[:50]
    left_out = Note(0, "truncated", {"leg": "upstream", "bytes": 90})
    found = shown(
        ("client", query("SELECT 1")), ("upstream", cut), left_out, ("client", query("SELECT 2")), ("upstream", ok(1))
    )
    assert found[-3:] == [
        ("gap", "90 more bytes from the upstream, not recorded"),
        "SELECT 2",
        ("done", "OK, rows affected: 0"),
    ]


def test_what_cannot_be_read_is_said_to_be_so() -> None:
    found = steps(("client", query("SELECT 1")), ("upstream", packet(1, b"\xfc")), ("upstream", packet(2, b"x")))
    assert found[-1] == Line(1, "gap", "a packet that cannot be read")
