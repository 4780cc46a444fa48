"""Replay of a session with channels: as text, in time, and as JSON. What a server sent is shown and acts on nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hostagent.recording.capture import ERROR, INPUT, OUTPUT
from hostagent.recording.channels import Channel, channel_of, described
from hostagent.recording.encode import Json
from hostagent.recording.reading import Note, Spoken
from hostagent.recording.terminal import Printed

STREAMS: Final = {INPUT: "stdin", OUTPUT: "stdout", ERROR: "stderr"}
_STYLES: Final = {"deny": "1;31", "observe": "33", "allow": "32"}


def played(shown: list[Channel], paint: bool, idle_limit: float) -> Iterator[tuple[float, str]]:
    """(seconds since the first channel was opened, text to print): output and decisions, in the order of their times.

    What was typed is not shown: a terminal echoes it. Where there are several channels, each is named when it speaks.
    """
    printed = {(c.number, stream): Printed(paint) for c in shown for stream in (OUTPUT, ERROR)}
    entries = sorted(_numbered(shown), key=lambda pair: pair[1].at_us)
    titles = {channel.number: f"-- channel {channel.number}: {channel.title}" for channel in shown}
    now, before = 0.0, min((channel.opened_us for channel in shown), default=0)
    speaking = 0 if len(shown) > 1 else shown[0].number if shown else 0
    for number, entry in entries:
        text = _text(entry, printed, number, paint)
        now += min(max(entry.at_us - before, 0) / 1_000_000, idle_limit)
        before = max(entry.at_us, before)
        if text and number != speaking:
            text = _styled(_literal(titles[number]), "1;36", paint) + "\n" + text
            speaking = number
        if text:
            yield now, text


def lines(channel: Channel, colour: bool) -> Iterator[str]:
    """What is to be known of a channel, without what was said in it."""
    title = f"channel {channel.number}: {_literal(channel.title)}"
    if channel.term:
        title += f" ({_literal(channel.term)} {channel.width}x{channel.height})"
    yield _styled(title, "1;36", colour) + f"  {_literal(channel.outcome)}"
    if channel.totals:
        counts = zip(STREAMS.values(), channel.totals, strict=False)
        yield "  " + ", ".join(f"{name} {count} bytes" for name, count in counts)
    for entry in channel.entries:
        if isinstance(entry, Note) and (text := described(entry)):
            style = _STYLES.get(str(entry.facts.get("verdict")), "")
            yield "  " + _styled(_literal(text), style, colour) + _decision(entry)


def channel_json(channel: Channel) -> Json:
    """A channel as plain JSON values; bytes as text, what is not UTF-8 escaped."""
    return {
        "channel": channel.number,
        "type": channel.type,
        "destination": _whole(channel.destination),
        "request": channel.request,
        "command": _whole(channel.command),
        "term": channel.term,
        "outcome": channel.outcome,
        "bytes": dict(zip(STREAMS.values(), channel.totals, strict=False)),
        "entries": [entry_json(entry) for entry in channel.entries],
    }


def entry_json(entry: Spoken | Note) -> Json:
    """What was said or noted, as plain JSON values."""
    if isinstance(entry, Note):
        return {
            "at_us": entry.at_us,
            "kind": entry.kind,
            **{name: _whole(value) for name, value in entry.facts.items()},
        }
    text = entry.data.decode("utf-8", "backslashreplace")
    return {"at_us": entry.at_us, "kind": STREAMS.get(entry.stream, "other"), "channel": entry.channel, "text": text}


def _numbered(shown: Iterable[Channel]) -> Iterator[tuple[int, Spoken | Note]]:
    for channel in shown:
        for entry in channel.entries:
            yield channel_of(entry) or channel.number, entry


def _text(entry: Spoken | Note, printed: dict[tuple[int, int], Printed], number: int, paint: bool) -> str:
    if isinstance(entry, Spoken):
        into = printed.get((number, entry.stream))
        return "" if into is None else into.feed(entry.data)
    text = described(entry)
    if not text:
        return ""
    return _styled(f"-- hostagent: {_literal(text)}", _STYLES.get(str(entry.facts.get("verdict")), "36"), paint) + "\n"


def _whole(value: object) -> object:
    """A text with what was not UTF-8 in it as escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _decision(note: Note) -> str:
    return f" (decision {note.facts['decision']})" if note.kind == "decision" and "decision" in note.facts else ""


def _literal(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _styled(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour and style and text else text
