"""How commands print: a table for people, JSON for programs, colours on a terminal only (and never with NO_COLOR)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hostagent.errors import HostError

API_VERSION = "hostagent/v1"
_STYLES = {
    "PASS": "green",
    "WARN": "yellow",
    "FAIL": "bold red",
    "allow": "green",
    "deny": "red",
    "approve": "magenta",
    "observe": "yellow",
    "waiting": "magenta",
    "approved": "green",
    "denied": "red",
    "expired": "yellow",
}
_PIPE_WIDTH = 200  # into a pipe lines are not folded at the width of a terminal that is not there


def add_output(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `-o table|json`."""
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="form of the answer")


def console() -> Console:
    """Standard output as rich sees it."""
    plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(no_color=plain, highlight=False, width=width, soft_wrap=not sys.stdout.isatty())


def print_json(kind: str, value: dict[str, Any]) -> None:
    """One JSON object with its `apiVersion` and `kind`."""
    print(json.dumps({"apiVersion": API_VERSION, "kind": kind, **value}, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns under a heading; verdicts and check results in their colours."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name.upper(), overflow="fold")
    for row in rows:
        table.add_row(*(styled(cell) for cell in row))
    console().print(table)


def print_panel(facts: Iterable[tuple[str, object]]) -> None:
    """`name  value` lines, aligned; a value of several lines keeps its column."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, value in facts:
        grid.add_row(Text(name, style="bold"), styled(value))
    console().print(grid)


def styled(cell: object) -> Text:
    """A cell, literally (neither markup nor an escape sequence in it is obeyed), in the colour of a well-known word."""
    text = printable(str(cell))
    return Text(text, style=_STYLES.get(text.split(" ", 1)[0], ""))


def printable(text: str) -> str:
    """The text with control characters but newline and tab shown as escapes: what clients wrote drives no terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def print_error(what: str, hint: str = "") -> None:
    """`error: …` and where there is one `hint: …`, on standard error."""
    print(f"error: {what}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def print_host_error(error: HostError) -> None:
    """A HostError as `print_error` shows it."""
    print_error(error.what, error.hint)
