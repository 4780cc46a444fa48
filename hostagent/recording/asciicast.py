"""One channel of a recorded session as an asciicast v2 file (docs.asciinema.org/manual/asciicast/v2).

    header  {"version": 2, "width", "height", "timestamp", "title", "env": {"TERM"}}
    events  [seconds, "o", text]  stdout and stderr      [seconds, "i", text]   what was typed, or stdin
            [seconds, "r", "80x24"]  a new size          [seconds, "m", label]  a decision or a transfer

Text is UTF-8; a character that the recording has in two pieces is whole in the second. Without a terminal lines end in
a newline alone, and are given the carriage return that a terminal would have added.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Final

from hostagent.recording.capture import ERROR, INPUT, OUTPUT
from hostagent.recording.channels import Channel, described, size_of
from hostagent.recording.encode import Json
from hostagent.recording.reading import Note, Spoken

_CODES: Final = {INPUT: "i", OUTPUT: "o", ERROR: "o"}


def channel_cast(header: Json, channel: Channel, idle_limit: float) -> Iterator[str]:
    """The lines of the file. Pauses are cut to `idle_limit` seconds; time counts from the channel's opening."""
    yield json.dumps(_header(header, channel))
    decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in _CODES}
    now, before = 0.0, channel.opened_us
    for entry in channel.entries:
        now += min(max(entry.at_us - before, 0) / 1_000_000, idle_limit)
        before = max(entry.at_us, before)
        if isinstance(entry, Note):
            event = _marker(entry)
        elif entry.stream in decoders:
            event = _said(channel, entry, decoders[entry.stream].decode(entry.data))
        else:
            event = None
        if event is not None:
            yield json.dumps([round(now, 6), *event])


def _header(header: Json, channel: Channel) -> Json:
    title = " ".join(filter(None, ("hostagent", str(header["flow"]), str(header["target"]), channel.title)))
    first: Json = {
        "version": 2,
        "width": channel.width,
        "height": channel.height,
        "timestamp": (int(header["started_ms"]) + channel.opened_us // 1000) // 1000,
        "title": title,
    }
    return first | ({"env": {"TERM": channel.term}} if channel.term else {})


def _said(channel: Channel, entry: Spoken, text: str) -> tuple[str, str] | None:
    if not text:
        return None
    if not channel.term and entry.stream != INPUT:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return _CODES[entry.stream], text


def _marker(note: Note) -> tuple[str, str] | None:
    if note.kind == "resize":
        width, height = size_of(note)
        return "r", f"{width}x{height}"
    label = described(note)
    return ("m", label) if label else None
