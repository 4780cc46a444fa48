"""What one query costs in a PostgreSQL session alone: no sockets, each question answered at once.

Run: `python -m tests.bench.bench_postgres_session`. Prints µs of one CPU per query, both directions, and MB/s of rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hostagent.protocols.base import Decide
from hostagent.protocols.postgres import PostgresConfig, PostgresSession, SaltedPasswords
from hostagent.protocols.postgres import messages as m
from hostagent.values.decision import Decision, Ruling, Verdict
from hostagent.values.target import UpstreamTls

DECISION = Decision("d", Ruling(Verdict.ALLOW, "all", "", ("select",)))
ROUNDS = 50_000
TEXT = b"SELECT abalance FROM pgbench_accounts WHERE aid = 123456;"


def msg(kind: str, body: bytes = b"") -> bytes:
    return m.message(ord(kind), body)


READY = msg("Z", b"I")
COLUMNS = msg("T", b"\0\1abalance\0" + bytes(18))
ROW = msg("D", b"\0\1\0\0\0\1" + b"0")
DONE = msg("C", b"SELECT 1\0")
EXECUTE = msg("E", b"\0" + bytes(4))
CASES = {
    "simple": (m.query(TEXT), COLUMNS + ROW + DONE + READY),
    "extended": (
        m.parse(b"", TEXT) + msg("B", bytes(8)) + msg("D", b"P\0") + EXECUTE + msg("S"),
        msg("1") + msg("2") + COLUMNS + ROW + DONE + READY,
    ),
    "prepared": (
        msg("B", b"\0P0\0" + bytes(6)) + msg("D", b"P\0") + EXECUTE + msg("S"),
        msg("2") + COLUMNS + ROW + DONE + READY,
    ),
}


def ready_session() -> PostgresSession:
    """A session that is logged in and has `P0` prepared."""
    session = PostgresSession(PostgresConfig("t", UpstreamTls.OFF, None, SaltedPasswords(), bytes))
    session.client_data(m.untyped(0x30000, b"user\0me\0\0"))
    session.connected()
    session.upstream_data(m.authentication(0) + READY)
    session.upstream_data(COLUMNS + msg("D", b"\0\1\0\0\0\x08{public}") + DONE + READY)
    session.commands.clear()
    turn(session, m.parse(b"P0", TEXT) + msg("S"), msg("1") + READY)
    return session


def turn(session: PostgresSession, request: bytes, answer: bytes) -> None:
    """One query, as the pump runs it."""
    session.client_data(request)
    while session.commands:
        commands, session.commands = session.commands, []
        for command in commands:
            if isinstance(command, Decide):
                session.decided(command.request, DECISION)
    session.to_upstream.clear()
    session.upstream_data(answer)
    session.commands.clear()
    session.to_client.clear()
    session.captured.clear()


def cost(step: Callable[[], None], rounds: int) -> float:
    """Seconds of CPU a round, the best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in range(rounds):
            step()
        best = min(best, (time.process_time() - start) / rounds)
    return best


def main() -> None:
    """Print the figures."""
    for name, (request, answer) in CASES.items():
        session = ready_session()
        print(f"{name:10} {cost(lambda s=session, r=request, a=answer: turn(s, r, a), ROUNDS) * 1e6:6.2f} µs a query")
    for size in (20, 200, 8000):
        rows = msg("D", b"\0\1" + size.to_bytes(4, "big") + bytes(size))
        chunk = rows * (262_144 // len(rows))
        session = ready_session()
        session.client_data(m.query(b"q"))
        session.decided(session.commands.pop().request, DECISION)  # type: ignore[union-attr]

        def step(session: PostgresSession = session, chunk: bytes = chunk) -> None:
            session.upstream_data(chunk)
            session.to_client.clear()
            session.captured.clear()

        print(f"rows of {size:5} bytes {len(chunk) / cost(step, 50) / 1e6:9.0f} MB/s")


if __name__ == "__main__":
    main()
