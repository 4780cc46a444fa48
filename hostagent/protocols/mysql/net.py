"""Net: detectors over what the server sends. What is a value, and where it stands, `rows.py` knows."""

from __future__ import annotations

from typing import Final

from hostagent.content.detector import Detector, Text


class Net:
    """The net of one session. `counts` grow until `taken`, one for each of the detector's names."""

    def __init__(self, detector: Detector) -> None:
        self.detector: Final[Detector] = detector
        self.counts: Final[list[int]] = [0] * len(detector.names)

    def text(self, value: bytes) -> bytes:
        """The value with what was found in it overwritten."""
        return Text(self.detector, self.counts).feed(value, True)

    def taken(self) -> dict[str, int]:
        """How often each detector matched since the last call, without those that did not."""
        found = {name: count for name, count in zip(self.detector.names, self.counts, strict=True) if count}
        for index in range(len(self.counts)):
            self.counts[index] = 0
        return found
