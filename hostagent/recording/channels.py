"""The channels of a multiplexed session's recording (SSH), each with what was said in it and noted about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hostagent.recording.encode import Json
from hostagent.recording.reading import Note, Recording, Spoken

WIDTH, HEIGHT = 80, 24  # of a channel without a terminal, and what a terminal has unless it says otherwise


@dataclass(slots=True)
class Channel:
    """One channel. `entries`: its bytes and notes in the order of the recording, `opened_us` when it was opened."""

    number: int
    opened_us: int
    type: str = "session"
    destination: str = ""
    request: str = ""
    command: str = ""
    term: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    ended: bool = False
    status: int | None = None
    signal: str = ""
    totals: tuple[int, ...] = ()
    entries: list[Spoken | Note] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What runs in it: `exec ls -l`, `shell`, `direct-tcpip db:5432`."""
        return " ".join(filter(None, (self.request or self.type, self.command or self.destination)))

    @property
    def outcome(self) -> str:
        """How it ended, as far as that is known."""
        if self.signal:
            return f"signal {self.signal}"
        if self.status is not None:
            return f"exit status {self.status}"
        return "ended" if self.ended else "no end is recorded"

    def note(self, note: Note) -> None:
        """Take what a note says of the channel."""
        facts = note.facts
        if note.kind == "channel":
            self.type, self.destination = str(facts.get("type", "")), str(facts.get("destination", ""))
        elif note.kind == "start":
            self.request, self.command = str(facts.get("request", "")), str(facts.get("command", ""))
        elif note.kind == "pty":
            self.term = str(facts.get("term", ""))
            self.width, self.height = size_of(note)
        elif note.kind == "end":
            self.ended, self.signal = True, str(facts.get("signal") or "")
            status = facts.get("status")
            self.status = status if isinstance(status, int) else None
            self.totals = tuple(int(count) for count in facts.get("bytes") or ())


def has_channels(recording: Recording) -> bool:
    """Whether this is the recording of a session with channels."""
    return any(
        isinstance(entry, Spoken) or (isinstance(entry, Note) and entry.kind == "channel")
        for entry in recording.entries
    )


def channels(recording: Recording) -> list[Channel]:
    """The channels in the order in which they were opened."""
    found: dict[int, Channel] = {}
    for entry in recording.entries:
        if not isinstance(entry, Spoken | Note) or (number := channel_of(entry)) is None:
            continue
        channel = found.setdefault(number, Channel(number, entry.at_us))
        channel.entries.append(entry)
        if isinstance(entry, Note):
            channel.note(entry)
    return list(found.values())


def channel_of(entry: Spoken | Note) -> int | None:
    """The channel that it belongs to; None for a note about the session."""
    if isinstance(entry, Spoken):
        return entry.channel
    number = entry.facts.get("channel")
    return number if isinstance(number, int) else None


def size_of(note: Note) -> tuple[int, int]:
    """Columns and rows that a pty or resize note tells; a terminal of none has the usual ones."""
    width, height = note.facts.get("width"), note.facts.get("height")
    return (
        width if isinstance(width, int) and width > 0 else WIDTH,
        height if isinstance(height, int) and height > 0 else HEIGHT,
    )


def described(note: Note) -> str:
    """A note as one line; empty for one that says nothing to a reader."""
    facts = note.facts
    if note.kind == "decision":
        text = f"{facts.get('verdict')} by {facts.get('rule') or 'no rule'}"
        return ": ".join(filter(None, (str(facts.get("text") or ""), text, str(facts.get("reason") or ""))))
    if note.kind == "transfer":
        state = "" if facts.get("complete") else ", not complete"
        digest = f"sha256 {facts['sha256']}" if facts.get("sha256") else f"no hash: {facts.get('why')}"
        return f"{facts.get('direction')} {facts.get('path')}: {facts.get('bytes')} bytes{state}, {digest}"
    if note.kind == "push":
        refs = ", ".join(map(_update, facts.get("refs", ())))
        return f"push {refs or 'nothing'}" + ("" if facts.get("whole") else ", and what could not be read")
    if note.kind == "truncated":
        return f"{facts.get('bytes')} more bytes, not recorded"
    return ""


def _update(update: Json) -> str:
    return f"{update.get('ref')} {str(update.get('old'))[:12]}..{str(update.get('new'))[:12]}"
