"""Replay: a transcript as psql would have shown it, as text and in time; terminal or asciicast, the text is the same.

What clients and servers sent is shown literally: control characters are escaped, so a recording drives no terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from hostagent.recording.encode import Json
from hostagent.recording.transcript import Line, Statement, Step, Table

WIDTH, HEIGHT = 120, 32
_STYLES = {"error": "31", "notice": "33", "gap": "35", "done": "2", "deny": "1;31", "observe": "33", "allow": "32"}


def render(step: Step, prompt: str, colour: bool) -> str:
    """One step as text, with its final newline. `prompt` stands before statements, such as `shop=>`."""
    if isinstance(step, Statement):
        return f"{_styled(prompt, '1;36', colour)} {_literal(step.text)}\n"
    if isinstance(step, Table):
        return _table(step, colour)
    if step.kind == "decision":
        style = _STYLES.get(str(step.facts.get("verdict")), "36")
        return _styled(f"-- hostagent: {_literal(step.text)}", style, colour) + "\n"
    return _styled(_literal(step.text) or step.kind, _STYLES.get(step.kind, "36"), colour) + "\n"


def timed(steps: list[Step], idle_limit: float) -> Iterator[tuple[float, Step]]:
    """(seconds since the start, step), with no pause longer than `idle_limit` seconds."""
    now, before = 0.0, 0
    for step in steps:
        now += min(max(step.at_us - before, 0) / 1_000_000, idle_limit)
        before = max(step.at_us, before)
        yield now, step


def asciicast(header: Json, steps: list[Step], prompt: str, idle_limit: float) -> Iterator[str]:
    """The lines of an asciicast v2 file (docs.asciinema.org/manual/asciicast/v2)."""
    title = f"hostagent {header['flow']} {header['target']}".strip()
    first = {"version": 2, "width": WIDTH, "height": HEIGHT, "timestamp": header["started_ms"] // 1000, "title": title}
    yield json.dumps(first)
    for at, step in timed(steps, idle_limit):
        text = render(step, prompt, colour=True).replace("\n", "\r\n")
        yield json.dumps([round(at, 6), "o", text])


def step_json(step: Step) -> Json:
    """A step as plain JSON values."""
    if isinstance(step, Statement):
        return {"at_us": step.at_us, "kind": "statement", "text": step.text}
    if isinstance(step, Line):
        return {"at_us": step.at_us, "kind": step.kind, "text": step.text, **step.facts}
    return {"at_us": step.at_us, "kind": "table", "columns": step.columns, "rows": step.rows}


def prompt_of(header: Json) -> str:
    """What psql would have shown before each statement."""
    return f"{header.get('facts', {}).get('database') or header['target'] or 'session'}=>"


def _table(table: Table, colour: bool) -> str:
    head = [_cell(name) for name in table.columns]
    rows = [[("" if value is None else _cell(value)) for value in row] for row in table.rows]
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    lines = [
        _styled(" " + " | ".join(name.center(width) for name, width in zip(head, widths, strict=True)), "1", colour)
    ]
    lines.append("+".join("-" * (width + 2) for width in widths))
    for row in rows:
        lines.append(" " + " | ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)))
    lines.append(f"({len(rows)} row{'' if len(rows) == 1 else 's'})")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _cell(text: str) -> str:
    return _literal(text).replace("\n", "\\n").replace("\t", "\\t")


def _literal(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _styled(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour and text else text
