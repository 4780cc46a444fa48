"""What one query costs in a MySQL session alone: no sockets, each question answered at once.

Run: `python -m tests.bench.bench_mysql_session [CASE ROUNDS]`. Prints µs of one CPU per query, both directions, and
MB/s of rows; with a case it runs that one so often and no more, for a profiler such as callgrind.
"""

from __future__ import annotations

import sys
from functools import partial

from hostagent.content.detector import Detector
from hostagent.protocols.base import Credential
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.config import MysqlConfig
from hostagent.protocols.mysql.handshake import Answer, Greeting
from hostagent.protocols.mysql.packets import as_lenenc_bytes, packet
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.sql.masking.values import Mask, MaskKind, Masks
from hostagent.values.decision import Decision, Ruling, Verdict
from hostagent.values.target import UpstreamTls
from tests.bench.bench_postgres_session import ROUNDS, cost

FLAGS = (
    can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | can.TRANSACTIONS | can.DEPRECATE_EOF
    | can.SESSION_TRACK | can.MULTI_STATEMENTS
)  # fmt: skip
TEXT = "SELECT c FROM sbtest1 WHERE id = 5000"
MASKED = (
    "SELECT c FROM (SELECT `id`, `k`, `c`, CAST('***' AS CHAR) AS `pad` FROM `bench`.`sbtest1`) AS `sbtest1` WHERE id=5"
)
MASKS = Masks((Mask("m", MaskKind.REDACT, ("bench.sbtest1.pad",)),))
PLAIN = Decision("d", Ruling(Verdict.ALLOW, "all", "", ("select",)))
SEALED = Decision(
    "d",
    Ruling(Verdict.ALLOW, "all", "", ("select",), rewritten=MASKED, shape=("c",), constants=(None,), derived=("s",)),
)
OK = packet(1, bytes(3) + b"\2\0\0\0")


def definition(sequence: int, name: bytes, kind: int) -> bytes:
    parts = b"".join(as_lenenc_bytes(part) for part in (b"def", b"bench", b"s", b"sbtest1", name, name))
    return packet(sequence, parts + b"\x0c" + b"\x2d\0" + bytes(4) + bytes((kind,)) + bytes(5))


VALUE = as_lenenc_bytes(b"0123456789-" * 11)
END = b"\xfe\0\0\2\0\0\0"
RESULT = packet(1, b"\1") + definition(2, b"c", 0xFE) + packet(3, VALUE) + packet(4, END)
BINARY = packet(1, b"\1") + definition(2, b"c", 0xFE) + packet(3, b"\0\0" + VALUE) + packet(4, END)
QUERY = packet(0, b"\3" + TEXT.encode())
EXECUTE = packet(0, b"\x17" + (1).to_bytes(4, "little") + b"\0" + (1).to_bytes(4, "little"))


def ready_session(decision: Decision = PLAIN) -> MysqlSession:
    """A session that is logged in and has statement 1 prepared."""
    session = MysqlSession(MysqlConfig("t", UpstreamTls.OFF, Credential("a", "b"), lambda n: b"!" * n))
    session.connected()
    greeting = Greeting("5.5.5-10.11.19-MariaDB", 7, b"abcdefgh12345678901x", FLAGS, 45, 2, "mysql_native_password")
    session.upstream_data(packet(0, greeting.encode()))
    answer = Answer(FLAGS, 1 << 24, 45, b"me", b"\x99" * 20, b"", "mysql_native_password", b"")
    session.client_data(packet(1, answer.encode()))
    session.upstream_data(packet(2, OK[4:]) + OK)
    values = [value.hex().encode() for value in (b"", b"utf8mb4", b"0", b"10.11.19-MariaDB", b"bench")]
    row = packet(7, b"".join(as_lenenc_bytes(value) for value in values))
    columns = b"".join(definition(2 + i, b"c", 0xFD) for i in range(5))
    session.upstream_data(packet(1, b"\5") + columns + row + packet(8, END))
    session.sealed, session.masks = decision is SEALED, MASKS if decision is SEALED else None
    prepared = packet(1, b"\0\1\0\0\0\1\0\0\0\0\0\0") + definition(2, b"c", 0xFE)
    session.commands.clear()
    turn(session, packet(0, b"\x16" + TEXT.encode()), prepared, decision)
    return session


def turn(session: MysqlSession, request: bytes, answer: bytes, decision: Decision = PLAIN) -> None:
    """One query, as the pump runs it."""
    session.client_data(request)
    (asked,) = session.commands
    session.commands.clear()
    session.decided(asked.request, decision)  # type: ignore[union-attr]
    session.to_upstream.clear()
    session.upstream_data(answer)
    session.commands.clear()
    session.to_client.clear()
    session.captured.clear()


CASES = {
    "text": (QUERY, RESULT, PLAIN), "prepared": (EXECUTE, BINARY, PLAIN),
    "masked text": (QUERY, RESULT, SEALED), "masked prepared": (EXECUTE, BINARY, SEALED),
}  # fmt: skip


def main() -> None:
    """Print the figures, or run one case."""
    if len(sys.argv) > 2:
        request, answer, decision = CASES[sys.argv[1]]
        session = ready_session(decision)
        for _ in range(int(sys.argv[2])):
            turn(session, request, answer, decision)
        return
    for name, (request, answer, decision) in CASES.items():
        step = partial(turn, ready_session(decision), request, answer, decision)
        print(f"{name:16} {cost(step, ROUNDS) * 1e6:6.2f} µs a query")
    shown = Decision("d", Ruling(Verdict.ALLOW, "all", "", rewritten=MASKED, shape=("c",), constants=("***",)))
    cards = Detector(["card"])
    for what, decision, detector, value in (
        ("passed", PLAIN, None, None), ("constants", shown, None, b"***"), ("detectors", PLAIN, cards, None)
    ):  # fmt: skip
        for size in (20, 200, 8000):
            print(f"rows of {size:5} bytes, {what:9} {_rows(decision, detector, value or bytes(size)):9.0f} MB/s")


def _rows(decision: Decision, detector: Detector | None, value: bytes) -> float:
    row = packet(3, as_lenenc_bytes(value))
    chunk = row * (262_144 // len(row))
    session = ready_session()
    session.sealed = decision is not PLAIN
    session.look_through(detector)
    session.client_data(QUERY)
    session.decided(session.commands.pop().request, decision)  # type: ignore[union-attr]
    session.upstream_data(packet(1, b"\1") + definition(2, b"c", 0xFD))

    def step() -> None:
        session.upstream_data(chunk)
        session.to_client.clear()
        session.captured.clear()

    return len(chunk) / cost(step, 50) / 1e6


if __name__ == "__main__":
    main()
