"""What a recorded program printed, made safe to print again: the sequences that paint pass, those that act do not.

A recording is shown on the terminal of an operator, who must not be worked on by what a server sent: titles, the
clipboard, questions that the terminal answers as if they were typed, and whatever is not known here are left out.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

# CSI sequences that move, erase, scroll, colour, and set modes; not reports (n, c), windows (t) and soft keys
_PAINTS: Final = re.compile(
    r"\x1b(?:\[[0-9;:]*[@-HJ-MPSTXZ`ad-gmrsu]|\[\?(?:1|3|5|6|7|12|25|45|47|104[79])[hl]|[78=>DEMHc]|\([0B])"
)
_SEQUENCE: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]+[0-~]|[0-Z\\-~])?|[\x80-\x9f]"
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?\Z")
_CONTROLS: Final = {code: None for code in range(32) if chr(code) not in "\a\b\t\n\r\x0e\x0f\x1b"} | {127: None}
MAX_UNFINISHED: Final = 4096  # characters of a sequence that is not whole; beyond it is text


class Printed:
    """The output of one stream, decoded as UTF-8 in pieces. `paint`: keep the sequences that paint."""

    def __init__(self, paint: bool) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._paint = paint
        self._cut = ""

    def feed(self, data: bytes, last: bool = False) -> str:
        """What may be printed of it."""
        text = self._cut + self._decoder.decode(data, last)
        self._cut = ""
        unfinished = None if last else _UNFINISHED.search(text, max(0, text.rfind("\x1b") - 1))
        if unfinished is not None and len(text) - unfinished.start() <= MAX_UNFINISHED:
            text, self._cut = text[: unfinished.start()], text[unfinished.start() :]
        text = _SEQUENCE.sub(self._passed, text).translate(_CONTROLS)
        return text if self._paint else text.replace("\r\n", "\n").replace("\r", "\n")

    def _passed(self, found: re.Match[str]) -> str:
        return found[0] if self._paint and _PAINTS.fullmatch(found[0]) else ""
