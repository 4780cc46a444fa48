"""What is measured: slices of at most a minute, each with all ways side by side under the machine-wide kernel lock.

A round is every slice once. Within a slice short runs of the ways take turns, and each round begins with another way,
so that whatever else the machine does falls on all of them. Rows hold one run each; medians come later.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import beside, bulk, load, ways
from tests.bench.stage import USER, Stage, environment
from tests.lab.lock import kernel_lock

MODES = ("simple", "extended", "prepared")
CLIENTS = (1, 8, 32)
FIRST_BYTES = 200  # connections of each form
CONNECTING = 8  # clients that connect again for every transaction
WARM_UP = 1  # second over each way before the first run: caches, and the one analysis of the statement

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Extent:
    """How long and how much: seconds of one pgbench run, client counts, and which groups of slices."""

    seconds: int
    clients: tuple[int, ...]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: its name, how many runs it has, and what runs it; `run` yields a row after each run."""

    name: str
    runs: int
    run: Callable[[Stage, int], Iterator[Row]]


def slices(extent: Extent) -> list[Slice]:
    """All slices of a round."""
    chosen = []
    for tls in (False, True):
        leg = "TLS" if tls else "plaintext"
        queried = [ways.direct, ways.pgbouncer, *([] if tls else [ways.haproxy]), ways.hostagent]
        if "query" in extent.groups:
            chosen += [_queries(extent, mode, tls, leg, queried) for mode in MODES]
        if "bulk" in extent.groups:
            chosen.append(_bulk(tls, leg))
    if "connections" in extent.groups:
        chosen += [_connections(extent), _first_bytes()]
    if "beside" in extent.groups:
        chosen += [_beside_a_stream(extent), _beside_idle_sessions(extent)]
    return chosen


def _queries(extent: Extent, mode: str, tls: bool, leg: str, makers: Sequence[ways.MakeWay]) -> Slice:
    def run(stage: Stage, number: int) -> Iterator[Row]:
        with _side_by_side(stage, tls, makers, number) as standing:
            for way in standing:
                load.pgbench(way, mode, 1, WARM_UP, tls)
            for clients in extent.clients:
                for way in standing:
                    measured = load.pgbench(way, mode, clients, extent.seconds, tls)
                    yield {"kind": "query", "tls": tls, "mode": mode, "clients": clients, **_row(way, measured)}

    return Slice(f"{mode} queries, {leg}", len(extent.clients) * len(makers), run)


def _connections(extent: Extent) -> Slice:
    makers = [ways.direct, ways.pgbouncer, ways.hostagent]

    def run(stage: Stage, number: int) -> Iterator[Row]:
        with _side_by_side(stage, True, makers, number) as standing:
            for way in standing:
                yield {"kind": "connect", **_row(way, _reconnecting(way, extent))}
        with ways.pgbouncer_no_reuse(stage, True) as way:  # takes the other's port
            yield {"kind": "connect", **_row(way, _reconnecting(way, extent))}

    return Slice("new TLS connections", len(makers) + 1, run)


def _reconnecting(way: ways.Way, extent: Extent) -> load.Load:
    return load.pgbench(way, "simple", CONNECTING, extent.seconds, True, reconnect=True)


def _first_bytes() -> Slice:
    makers = [ways.direct, ways.hostagent]
    program = str(Path(__file__).with_name("first_byte.py"))

    def run(stage: Stage, number: int) -> Iterator[Row]:
        with _side_by_side(stage, False, makers, number) as standing:
            for way in standing:
                argv = [sys.executable, "-I", program, way.address, str(way.port), USER, str(FIRST_BYTES)]
                done = subprocess.run(
                    [*way.command, *argv],
                    check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60, env=environment(False),
                )  # fmt: skip
                for until, times in json.loads(done.stdout).items():
                    p50, p99 = (load.quantile(sorted(times), part) for part in (0.5, 0.99))
                    yield {"kind": "first_byte", "until": until, "way": way.name, "p50_us": p50, "p99_us": p99}

    return Slice("connect to first byte", 3 * len(makers), run)


def _beside_a_stream(extent: Extent) -> Slice:
    makers = [ways.direct, ways.pgbouncer, ways.one_worker]

    def run(stage: Stage, number: int) -> Iterator[Row]:
        with _side_by_side(stage, True, makers, number) as standing:
            for way in standing:
                load.pgbench(way, "prepared", 1, WARM_UP, tls=True)
            for way in standing:
                yield {"kind": "beside", "what": "nothing", **_row(way, beside.queries(way, extent.seconds))}
                with beside.streaming(way):
                    yield {"kind": "beside", "what": "a stream", **_row(way, beside.queries(way, extent.seconds))}

    return Slice("small queries beside a stream", 2 * len(makers), run)


def _beside_idle_sessions(extent: Extent) -> Slice:
    def run(stage: Stage, number: int) -> Iterator[Row]:
        with _side_by_side(stage, True, [ways.one_worker], number) as (way,):
            load.pgbench(way, "prepared", 1, WARM_UP, tls=True)
            yield {"kind": "idle", "sessions": 0, **_row(way, beside.queries(way, extent.seconds))}
            with beside.idle(way) as idle:
                yield {"kind": "idle", **asdict(idle), **_row(way, beside.queries(way, extent.seconds))}

    return Slice("small queries beside idle sessions", 2, run)


def _bulk(tls: bool, leg: str) -> Slice:
    makers = [ways.direct, ways.pgbouncer, ways.hostagent]

    def run(stage: Stage, number: int) -> Iterator[Row]:
        with _side_by_side(stage, tls, makers, number) as standing:
            for transfer in bulk.TRANSFERS:
                for way in standing:
                    yield {
                        "kind": "bulk",
                        "tls": tls,
                        "transfer": transfer.name,
                        **_row(way, bulk.move(way, transfer, tls)),
                    }

    return Slice(f"bulk, {leg}", len(bulk.TRANSFERS) * len(makers), run)


def _row(way: ways.Way, measured: load.Load | bulk.Moved) -> Row:
    return {"way": way.name, "load_average": os.getloadavg()[0], **asdict(measured)}


@contextlib.contextmanager
def _side_by_side(stage: Stage, tls: bool, makers: Sequence[ways.MakeWay], number: int) -> Iterator[list[ways.Way]]:
    """All ways standing, in an order of this round's own, while nobody else has hooks attached."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(kernel_lock())
        standing = [stack.enter_context(make(stage, tls)) for make in makers]
        first = number % len(standing)
        yield standing[first:] + standing[:first]
