"""StreamNet: detectors over a stream of text, such as what a command prints, found values overwritten in place.

Pieces come as a network cuts them, and what comes out does not depend on where it did: bytes that may be the beginning
of a value are held until that is known, and no others, so that a prompt is shown at once. Nothing gets longer or
shorter. A terminal's stream has control sequences in it; a value is found beside them and with them inside it. Rules:

1. Once a control sequence has come text is looked through twice: as if there were none, and as if each were a line
   break.
2. After `flush` the bytes that were held are out. They are remembered: if a value completes, the rest of it is starred.
3. A beginning is held for as long as it may become a value, which is `Pattern.reach` bytes of text and `MAX_INSIDE` of
   control sequences at most, and a control sequence until it is whole. So memory is bounded.

Not found: a value with other bytes in it than its pattern takes (a line break of a program's own, backspaces), one that
is painted by moving the cursor about, and one in another encoding than ASCII's (UTF-16, base64, a compressed stream).
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any, Final

import re2  # type: ignore[import-untyped]

from hostagent.content.detector import CONTEXT, MAX_MEMORY, Detector, unescaped
from hostagent.content.openings import OPENINGS
from hostagent.content.patterns import PATTERNS

MAX_INSIDE: Final = 4096  # bytes of control sequences that a value may have in it: a line repainted a few times
# ECMA-48, 5.4 (CSI), with as many parameters as terminals take, and ECMA-35 (ESC with intermediates). The text of a
# title (OSC) is text here: it is shown too.
_SEQUENCE: Final = re.compile(rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|[ -/]{1,8}[0-~]|[0-Z\\-~])")
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[ -/]{0,8})\Z")
_ESCAPE: Final = b"\x1b"
_BREAK: Final = b"\n"
_STAR: Final = 42


class StreamNet:
    """One stream. Give it pieces with `feed`, pass on what comes out, and at the stream's end what `finish` gives.

    After a moment of silence the caller may `flush`, so that what is held does not keep a human waiting.
    """

    def __init__(self, detector: Detector) -> None:
        self._names: Final = detector.names
        self._broken = _Scan(detector, _openings(detector))  # what a sequence is in: text that ends there
        self._joined: _Scan | None = None  # … no text at all; None until the first sequence
        self._parts: deque[tuple[bool, bytes]] = (
            deque()
        )  # not given out yet, in order: whether a sequence, and its bytes
        self._ready = (bytearray(), bytearray())  # text that the two have looked through, of those parts
        self._inside = 0  # bytes of sequences among the parts
        self._cut = b""  # a sequence that is not whole
        self._counts = [0] * len(detector.names)

    @property
    def held(self) -> int:
        """Bytes that `flush` would give."""
        return self._broken.held if self._joined is None else sum(len(data) for _, data in self._parts)

    def feed(self, data: bytes) -> bytes:
        """Take a piece; gives what is certain by now."""
        if self._joined is None:
            if _ESCAPE not in data:
                return self._broken.feed(data)
            self._begin_sequences()
        data = self._cut + data
        self._cut = b""
        last = data.rfind(_ESCAPE)
        if last >= 0 and _UNFINISHED.match(data, last):
            data, self._cut = data[:last], data[last:]
        self._look(data)
        if self._inside > MAX_INSIDE and self._joined is not None:
            self._ready[1].extend(self._joined.flush())
        return self._given()

    def flush(self) -> bytes:
        """Gives what is held, but for a sequence that is not whole: of that a terminal shows nothing."""
        if self._joined is None:
            return self._broken.flush()
        self._ready[0].extend(self._broken.flush())
        self._ready[1].extend(self._joined.flush())
        return self._given()

    def finish(self) -> bytes:
        """The stream has ended; gives all the rest."""
        if self._joined is None:
            return self._broken.finish()
        self._ready[0].extend(self._broken.finish())
        self._ready[1].extend(self._joined.finish())
        return self._given() + self._cut

    def taken(self) -> dict[str, int]:
        """How often each detector matched since the last call, without those that did not."""
        if self._joined is None:
            self._add(self._broken.taken())
        else:
            self._add([max(pair) for pair in zip(self._broken.taken(), self._joined.taken(), strict=True)])
        found = {name: count for name, count in zip(self._names, self._counts, strict=True) if count}
        self._counts = [0] * len(self._counts)
        return found

    def _add(self, counts: list[int]) -> None:
        self._counts = [sum(pair) for pair in zip(self._counts, counts, strict=True)]

    def _begin_sequences(self) -> None:
        self._add(self._broken.taken())
        self._joined = self._broken.copy()
        if pending := self._broken.pending():
            self._parts.append((False, pending))

    def _look(self, data: bytes) -> None:
        broken, joined = [], []
        pos = 0
        for found in _SEQUENCE.finditer(data):
            start, end = found.span()
            if start > pos:
                text = data[pos:start]
                self._parts.append((False, text))
                broken.append(text)
                joined.append(text)
            self._parts.append((True, data[start:end]))
            self._inside += end - start
            broken.append(_BREAK)
            pos = end
        if pos < len(data):
            self._parts.append((False, data[pos:]))
            broken.append(data[pos:])
            joined.append(data[pos:])
        self._ready[0].extend(self._broken.feed(b"".join(broken)))
        if self._joined is not None:
            self._ready[1].extend(self._joined.feed(b"".join(joined)))

    def _given(self) -> bytes:
        """What both have looked through: a byte that either has starred is a star."""
        out: list[bytes] = []
        first, second = bytes(self._ready[0]), bytes(self._ready[1])
        one = two = 0  # taken of each
        while self._parts:
            sequence, data = self._parts[0]
            if sequence:
                if one == len(first):
                    break
                one += 1
                self._inside -= len(data)
                out.append(data)
            else:
                size = min(len(data), len(first) - one, len(second) - two)
                out.append(_starred(first[one : one + size], second[two : two + size]))
                one, two = one + size, two + size
                if size < len(data):
                    self._parts[0] = (False, data[size:])
                    break
            self._parts.popleft()
        del self._ready[0][:one]
        del self._ready[1][:two]
        return b"".join(out)


class _Scan:
    """A stream of text looked through. `_next`: matches that begin before it were looked for; `_out`: what is out."""

    def __init__(self, detector: Detector, openings: Any) -> None:
        self._detector: Final = detector
        self._openings: Final = openings
        self._counts = [0] * len(detector.names)
        self._data = b""
        self._next = 0
        self._out = 0
        self._ends = [0] * len(detector.names)  # where the last match of each kind ends, with what follows it

    @property
    def held(self) -> int:
        """Bytes that are not out."""
        return len(self._data) - self._out

    def pending(self) -> bytes:
        """Those bytes, as they came."""
        return self._data[self._out :]

    def copy(self) -> _Scan:
        """Another that goes on from here, its counts from nothing."""
        other = _Scan(self._detector, self._openings)
        other._data, other._next, other._out, other._ends = self._data, self._next, self._out, self._ends.copy()
        return other

    def taken(self) -> list[int]:
        """What was counted since the last call."""
        counts, self._counts = self._counts, [0] * len(self._counts)
        return counts

    def feed(self, piece: bytes) -> bytes:
        """Take a piece; gives what is certain, and keeps what may be the beginning of a match."""
        return self._look(piece, False)

    def finish(self) -> bytes:
        """Gives the rest."""
        return self._look(b"", True)

    def flush(self) -> bytes:
        """Gives what is kept; it is kept on, to know a match when it completes."""
        given = self._masked(self._open(self._data, -1), len(self._data))
        self._out = len(self._data)
        return given

    def _look(self, piece: bytes, last: bool) -> bytes:
        known = len(self._data)
        data = self._data = self._data + piece if known else piece
        seen = unescaped(data)
        stop = len(data) if last else self._undecided(seen)
        spans = self._open(data, known)
        for index in self._detector.hits(data):
            self._find(index, seen, stop, spans)
        given = self._masked(spans, stop)
        self._keep(stop)
        return given

    def _undecided(self, seen: bytes) -> int:
        """Where the first thing begins that may yet become a match, or the end."""
        start = max(self._next, len(seen) - self._detector.reach)
        found = self._openings.search(seen, start, len(seen))
        return len(seen) if found is None else int(found.start())

    def _open(self, data: bytes, known: int) -> list[tuple[int, int]]:
        """What earlier matches cover; what belongs to a match for as long as it follows goes on from `known`."""
        spans = []
        for index, end in enumerate(self._ends):
            finder = self._detector.finders[index]
            if end and end == known:
                self._ends[index] = finder.tail(data, end)
            if finder.overwrites and self._ends[index] > self._out:
                spans.append((self._out, self._ends[index]))
        return spans

    def _find(self, index: int, data: bytes, stop: int, spans: list[tuple[int, int]]) -> None:
        finder = self._detector.finders[index]
        self._ends[index], found = finder.sweep(data, self._next, stop, self._ends[index], spans)
        self._counts[index] += found

    def _masked(self, spans: list[tuple[int, int]], stop: int) -> bytes:
        given = self._data[self._out : stop]
        if not spans or not given:
            return given
        out = bytearray(given)
        for start, end in spans:
            first, after = max(0, start - self._out), min(end - self._out, len(given))
            if after > first:
                out[first:after] = b"*" * (after - first)
        return bytes(out)

    def _keep(self, stop: int) -> None:
        dropped = max(0, stop - CONTEXT)
        self._data = self._data[dropped:]
        self._next = stop - dropped
        self._out = max(stop, self._out) - dropped
        self._ends = [max(0, end - dropped) for end in self._ends]


def _openings(detector: Detector) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    wanted = [pattern for pattern in PATTERNS if pattern.name in detector.names]
    parts = [b"(?:" + OPENINGS[pattern.name] + b")" for pattern in wanted]
    for pattern in wanted:
        if pattern.joins:  # then a byte behind it may tie it to another
            parts.append(b"(?:" + pattern.exact + b")[" + re2.escape(pattern.joins) + b"]")
    return re2.compile(b"(?:" + b"|".join(parts) + b")\\z", options)


def _starred(first: bytes, second: bytes) -> bytes:
    if first == second:
        return first
    return bytes(one if one == _STAR else other for one, other in zip(first, second, strict=True))
