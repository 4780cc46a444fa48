"""Rows of runs → medians, ratios, tables and plots. One set of tables, shown on a terminal or written as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotext
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]
Costs = dict[str, dict[str, float]]

OURS, MARK_OF = "hostagent", "pgbouncer"
WAYS = ("direct", "pgbouncer", "pgbouncer, no reuse", "haproxy", "hostagent")
PROFILED_CLIENTS = 8


@dataclass(frozen=True, slots=True)
class Grid:
    """One table: a title, heads, and lines of cells that are text already."""

    title: str
    heads: tuple[str, ...]
    lines: list[tuple[str, ...]]


class Medians:
    """The median over all rounds of a field, for the rows that have these values."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def of(self, field: str, **values: object) -> float | None:
        """None when there is no such row."""
        found = [row[field] for row in self.rows(**values)]
        return statistics.median(found) if found else None

    def rows(self, **values: object) -> list[Row]:
        """The rows that have these values."""
        return [row for row in self._rows if all(row.get(name) == value for name, value in values.items())]

    def cases(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """The different values of `names` among rows of a kind, in the order they were measured."""
        seen = dict.fromkeys(tuple(row[name] for name in names) for row in self.rows(kind=kind))
        return [dict(zip(names, values, strict=True), kind=kind) for values in seen]


def grids(rows: Sequence[Row], alone: Costs) -> list[Grid]:
    """All tables for which something was measured."""
    medians = Medians(rows)
    made = [
        *(_by_way(medians, tls) for tls in (False, True)),
        *(_detail(medians, tls) for tls in (False, True)),
        _connections(medians),
        _first_byte(medians),
        _bulk(medians),
        _memory(medians),
        _beside(medians),
        _idle(medians),
        _shares(medians, alone),
        _ssh(medians),
        _ssh_memory(medians),
        _mysql(medians),
        _mysql_bulk(medians),
    ]
    return [grid for grid in made if grid.lines]


def markdown(facts: dict[str, object], rows: Sequence[Row], alone: Costs) -> str:
    """The whole report."""
    parts = ["# Bench", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())]
    for grid in grids(rows, alone):
        lines = [grid.heads, tuple("---" if n == 0 else "---:" for n in range(len(grid.heads))), *grid.lines]
        parts += [f"## {grid.title}", "\n".join(f"| {' | '.join(line)} |" for line in lines)]
    return "\n\n".join(parts) + "\n"


def show(console: Console, facts: dict[str, object], rows: Sequence[Row], alone: Costs) -> None:
    """The tables and, on a terminal, the ratios as a plot."""
    console.print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))
    for grid in grids(rows, alone):
        table = Table(title=grid.title, title_justify="left")
        for number, head in enumerate(grid.heads):
            table.add_column(head, justify="right" if number else "left")
        for line in grid.lines:
            table.add_row(*line)
        console.print(table)
    medians = Medians(rows)
    bars = [(_case(case), ratio) for case in _query_cases(medians) if (ratio := _ratio(medians, "tps", case))]
    if bars and console.is_terminal:
        labels, ratios = zip(*bars, strict=True)
        plotext.simple_bar(labels, ratios, width=min(console.width, 90), title=f"{OURS}: tps, of {MARK_OF}'s")
        plotext.show()


def _query_cases(medians: Medians) -> list[dict[str, Any]]:
    return medians.cases("query", "tls", "mode", "clients")


def _case(case: dict[str, Any]) -> str:
    return f"{case['mode']}, {case['clients']}{' TLS' if case['tls'] else ''}"


def _ratio(medians: Medians, field: str, case: dict[str, Any], other: str = MARK_OF, way: str = OURS) -> float | None:
    ours, theirs = medians.of(field, way=way, **case), medians.of(field, way=other, **case)
    return ours / theirs if ours and theirs else None


def _by_way(medians: Medians, tls: bool) -> Grid:
    ways = [way for way in WAYS if medians.rows(kind="query", tls=tls, way=way)]
    lines = []
    for case in (case for case in _query_cases(medians) if case["tls"] == tls):
        tps = [_text(medians.of("tps", way=way, **case), "{:,.0f}") for way in ways]
        ratios = [_text(_ratio(medians, "tps", case, other), "{:.2f}") for other in ("direct", MARK_OF)]
        lines.append((f"{case['mode']}, {case['clients']}", *tps, *ratios))
    return Grid(f"Transactions a second, {_legs(tls)}", ("mode, clients", *ways, "of direct", f"of {MARK_OF}"), lines)


def _detail(medians: Medians, tls: bool) -> Grid:
    lines = []
    for case in (case for case in _query_cases(medians) if case["tls"] == tls):
        for way in WAYS:
            if not medians.rows(way=way, **case):
                continue
            times = [_text(medians.of(field, way=way, **case), "{:,.0f}") for field in ("p50_us", "p99_us")]
            cpu = [medians.of(field, way=way, **case) for field in ("user_us", "system_us", "machine_us")]
            shown = ["–" if way == "direct" else _text(us, "{:.1f}") for us in cpu[:2]]
            lines.append((f"{case['mode']}, {case['clients']}", way, *times, *shown, _text(cpu[2], "{:.0f}")))
    heads = ("mode, clients", "way", "p50 µs", "p99 µs", "proxy user µs", "proxy system µs", "machine µs")
    return Grid(f"Latency, and CPU a query, {_legs(tls)}", heads, lines)


def _connections(medians: Medians) -> Grid:
    lines = []
    for way in (way for way in WAYS if medians.rows(kind="connect", way=way)):
        fields = [medians.of(field, kind="connect", way=way) for field in ("tps", "p50_us", "p99_us")]
        cpu = [medians.of(field, kind="connect", way=way) for field in ("user_us", "system_us")]
        shown = ["–" if way == "direct" else _text(us, "{:,.0f}") for us in cpu]
        lines.append((way, *(_text(value, "{:,.0f}") for value in fields), *shown))
    heads = ("way", "a second", "p50 µs", "p99 µs", "proxy user µs", "proxy system µs")
    return Grid("New TLS connections, one query each, 8 clients", heads, lines)


def _first_byte(medians: Medians) -> Grid:
    names = {"connected": "connect(2) returned", "ssl_request": "answer to SSLRequest", "startup": "answer to startup"}
    lines = []
    for case in medians.cases("first_byte", "until"):
        cells = [
            _text(medians.of(field, way=way, **case), "{:,.0f}")
            for way in ("direct", OURS)
            for field in ("p50_us", "p99_us")
        ]
        lines.append((names[case["until"]], *cells))
    heads = ("until", "direct p50 µs", "direct p99 µs", f"{OURS} p50 µs", f"{OURS} p99 µs")
    return Grid("A new flow, one at a time, plaintext", heads, lines)


def _bulk(medians: Medians) -> Grid:
    ways = ("direct", MARK_OF, OURS)
    lines = []
    for case in medians.cases("bulk", "tls", "transfer"):
        speeds = [_text(medians.of("mb_per_second", way=way, **case), "{:,.0f}") for way in ways]
        ratios = [_text(_ratio(medians, "mb_per_second", case, other), "{:.2f}") for other in ways[:2]]
        lines.append((f"{case['transfer']}, {_legs(case['tls'])}", *speeds, *ratios))
    return Grid("Bulk, MB/s", ("transfer", *ways, "of direct", f"of {MARK_OF}"), lines)


def _memory(medians: Medians) -> Grid:
    lines = []
    for case in medians.cases("bulk", "tls", "transfer"):
        rows = medians.rows(way=OURS, **case)
        most = max(rows, key=lambda row: row["peak_mb"] - row["before_mb"]) if rows else None
        if most is not None:
            figures = (most["before_mb"], most["peak_mb"], most["peak_mb"] - most["before_mb"])
            lines.append((f"{case['transfer']}, {_legs(case['tls'])}", *(f"{mb:,.1f}" for mb in figures)))
    heads = ("transfer", "before", "peak", "growth")
    return Grid("The worker's resident memory in bulk, MB (the round that grew most)", heads, lines)


def _beside(medians: Medians) -> Grid:
    lines = []
    for case in medians.cases("beside", "what"):
        for way in (way for way in WAYS if medians.rows(way=way, **case)):
            fields = [medians.of(field, way=way, **case) for field in ("tps", "p50_us", "p99_us")]
            lines.append((case["what"], way, *(_text(value, "{:,.0f}") for value in fields)))
    heads = ("beside", "way", "a second", "p50 µs", "p99 µs")
    return Grid("Small queries of 4 clients in one worker, prepared, TLS on both legs", heads, lines)


def _idle(medians: Medians) -> Grid:
    lines = []
    for case in medians.cases("idle", "sessions"):
        fields = [medians.of(field, **case) for field in ("tps", "p50_us", "p99_us")]
        memory = [medians.of(field, **case) if case["sessions"] else None for field in ("pss_kb", "rss_kb")]
        cells = [*(_text(value, "{:,.0f}") for value in fields), *(_text(value, "{:.1f}") for value in memory)]
        lines.append((f"{case['sessions']:,}", *cells))
    heads = ("idle sessions", "a second", "p50 µs", "p99 µs", "kB of PSS a session", "kB of RSS a session")
    return Grid(
        "Small queries of 4 clients beside idle sessions in one worker, prepared, TLS on both legs", heads, lines
    )


def _ssh(medians: Medians) -> Grid:
    lines = []
    others = ("direct", "direct, AES-GCM", "haproxy", "jump host")
    for case in medians.cases("ssh", "what"):
        values = [_text(medians.of("value", way=way, **case), "{:,.1f}") for way in (*others, OURS)]
        ratios = [_text(_ratio(medians, "value", case, other), "{:.2f}") for other in others]
        spent = [_text(medians.of("cpu_ms", way=way, **case), "{:.1f}") for way in ("jump host", OURS)]
        lines.append((case["what"], *values, *ratios, *spent))
    heads = ("SSH", *others, OURS, *(f"of {other}" for other in others), "jump host's CPU ms", "CPU ms")
    return Grid("SSH; CPU is for one connection, one command, one MB", heads, lines)


def _ssh_memory(medians: Medians) -> Grid:
    lines: list[tuple[str, ...]] = []
    for case in medians.cases("ssh", "what"):
        rows = [row for row in medians.rows(way=OURS, **case) if "grown_mb" in row]
        if rows:
            most = max(rows, key=lambda row: row["grown_mb"])
            lines.append((case["what"], f"{most['moved_mb']:,.0f}", f"{most['grown_mb']:,.1f}"))
    return Grid("The worker's memory, MB (the round that grew most)", ("SSH", "moved", "growth"), lines)


def _mysql(medians: Medians) -> Grid:
    lines = []
    others = ("direct", "haproxy")
    for case in medians.cases("mysql", "load", "mode", "tls", "threads"):
        values = [_text(medians.of("per_s", way=way, **case), "{:,.0f}") for way in (*others, OURS)]
        ratios = [_text(_ratio(medians, "per_s", case, other), "{:.2f}") for other in others]
        masked = [
            _text(medians.of("per_s", way="masked", **case), "{:,.0f}"),
            _text(_ratio(medians, "per_s", case, OURS, way="masked"), "{:.2f}"),
        ]
        cpu = [_text(medians.of("cpu_us", way=way, **case), "{:.0f}") for way in ("haproxy", OURS, "masked")]
        name = f"{case['load'].removeprefix('oltp_')}, {case['mode']}, {_legs(case['tls'])}, {case['threads']}"
        lines.append((name, *values, *ratios, *masked, *cpu))
    ratios_of = tuple(f"of {other}" for other in others)
    cpu_of = ("haproxy µs", f"{OURS} µs", "masked µs")
    heads = ("load, threads", *others, OURS, *ratios_of, "masked", "of unmasked", *cpu_of)
    return Grid("MySQL (sysbench): queries a second, and µs of the proxy's CPU for one", heads, lines)


def _mysql_bulk(medians: Medians) -> Grid:
    lines = []
    for case in medians.cases("mysql_bulk", "tls"):
        values = [_text(medians.of("mb_per_s", way=way, **case), "{:,.0f}") for way in ("direct", "haproxy", OURS)]
        ratio = _text(_ratio(medians, "mb_per_s", case, "direct"), "{:.2f}")
        lines.append((_legs(case["tls"]), *values, ratio))
    return Grid("MySQL: one large SELECT, MB/s", ("legs", "direct", "haproxy", OURS, "of direct"), lines)


def _shares(medians: Medians, alone: Costs) -> Grid:
    parts = tuple(dict.fromkeys(part for costs in alone.values() for part in costs))
    lines = []
    for tls in (False, True):
        for mode, costs in alone.items():
            case = {"kind": "query", "way": OURS, "tls": tls, "mode": mode, "clients": PROFILED_CLIENTS}
            user, system = medians.of("user_us", **case), medians.of("system_us", **case)
            if user is None or system is None:
                continue
            spent = {part: us for part, us in costs.items() if tls or part != "TLS"}
            cells = [_text(spent.get(part), "{:.1f}") for part in parts]
            rest = user - sum(spent.values())
            lines.append((f"{mode}, {_legs(tls)}", *cells, f"{rest:.1f}", f"{user:.1f}", f"{system:.1f}"))
    heads = ("8 clients", *parts, "legs, flow, loop (the rest)", "all user", "all system")
    return Grid("Where the worker's time goes, µs of CPU a query (parts measured alone)", heads, lines)


def _legs(tls: bool) -> str:
    return "TLS on both legs" if tls else "plaintext"


def _text(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
