"""What one query costs in each part of a worker by itself, in one process and without sockets: µs of CPU.

    session     PostgreSQL session: framing, settings, queue                  (bench_postgres_session)
    decide      template, remembered ruling
    record      the events of a decision and its outcome, encoded, chained, and written with one write each
    capture     the session recording: both directions and a note, compressed in frames as it grows
    TLS         the query and its answer decrypted and encrypted again, on both legs

What a live worker uses beyond their sum is legs, flow and event loop in user mode, and the kernel in system mode.
"""

from __future__ import annotations

import itertools
import ssl
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trustme

from hostagent.recording import event
from hostagent.recording.capture import SessionRecording
from hostagent.recording.journal import Journal
from hostagent.runtime.memory import Memory
from hostagent.runtime.tls import Tls
from hostagent.sql.template import template
from hostagent.values.actor import Actor, Process
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from hostagent.values.target import Target, UpstreamTls
from tests.bench.bench_postgres_session import CASES, TEXT, cost, ready_session, turn

ROUNDS = 20_000
RULING = Ruling(Verdict.ALLOW, "use", "", ("select",), ("pgbench_accounts",))

Costs = dict[str, dict[str, float]]  # mode → part → µs a query


def measure() -> Costs:
    """All parts for each mode of pgbench. Takes some ten seconds of one core."""
    with tempfile.TemporaryDirectory(prefix="costs-") as directory:
        decided, recorded = _us(_decide()), _us(_record(Path(directory)))
        return {
            mode: {
                "session": _us(partial(turn, ready_session(), request, answer)),
                "decide": decided,
                "record": recorded,
                "capture": _us(_capture(Path(directory), request, answer, mode)),
                "TLS": _us(_tls(request, answer)),
            }
            for mode, (request, answer) in CASES.items()
        }


def _us(step: Callable[[], None]) -> float:
    return cost(step, ROUNDS) * 1e6


def _decide() -> Callable[[], None]:
    memory, text = Memory(), TEXT.decode()
    scope = (frozenset({"*"}), "bench", ("standard_conforming_strings=on",), ("public",), None)
    shape = template(text)
    assert shape is not None
    memory.put(scope, shape, RULING)

    def step() -> None:
        assert memory.get(scope, text) is None
        assert memory.get(scope, template(text) or "") is RULING

    return step


def _record(directory: Path) -> Callable[[], None]:
    journal, context, text = Journal(directory / "journal", "costs"), _context("costs"), TEXT.decode()
    outcome, ids = Outcome(1, 14), (f"{context.flow_id}.{n}" for n in itertools.count())

    def step() -> None:
        decision = Decision(next(ids), RULING)
        journal.append(event.decided(context, text, decision))
        journal.append(event.finished(context, [event.outcome(decision.id, outcome, 300)], failed=False))

    return step


def _capture(directory: Path, request: bytes, answer: bytes, mode: str) -> Callable[[], None]:
    (directory / "sessions").mkdir(exist_ok=True)
    context = _context(mode)
    recording = SessionRecording(directory / "sessions", context)
    ids = (f"{mode}.{n}" for n in itertools.count())

    def step() -> None:
        recording.capture("client", request, 1)
        recording.note(event.decision_note(context, Decision(next(ids), RULING)))
        recording.capture("upstream", answer, 2)

    return step


def _tls(request: bytes, answer: bytes) -> Callable[[], None]:
    """Only the worker's ends of the two connections are timed: the peers' share is taken off by symmetry.

    Each record is written by one end and read by the other; a worker reads and writes each record once as well, so
    that one connection run at both ends costs what the worker's two ends do.
    """
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    contexts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.issue_cert("localhost", key_type=trustme.KeyType.ECDSA).configure_cert(contexts[0])
    ca.configure_trust(contexts[1])
    server = Tls(contexts[0], server_side=True)
    client = Tls(contexts[1], server_side=False, server_name="localhost")
    while not (server.established and client.established):
        for one, other in ((client, server), (server, client)):
            if not one.established:
                one.handshake()
            other.feed(one.outgoing())
    client.read()  # the session tickets

    def step() -> None:
        for one, other, data in ((client, server, request), (server, client, answer)):
            one.write(data)
            other.feed(one.outgoing())
            other.read()

    return step


def _context(flow: str) -> event.FlowContext:
    process = Process(4242, 1_000_000_000, "/usr/bin/pgbench", ("pgbench", "-S", "-n"), "pgbench", 0)
    shell = Process(4241, 900_000_000, "/usr/bin/bash", ("bash",), "bash", 0)
    actor = Actor(process, (shell,), 0, "root", 0, "root", None, "", "/hostagent-bench/run/1")
    key = FlowKey(Endpoint("10.77.0.1", 40000), Endpoint("10.77.0.2", 5432))
    return event.FlowContext(FlowId(flow), key, actor, Target("bench", "postgres", UpstreamTls.VERIFY_FULL))
