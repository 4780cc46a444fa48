"""What a channel's output passes through before its client and its recording have it: a net for each stream."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from hostagent.content.detector import Detector
from hostagent.content.stream import StreamNet
from hostagent.recording.capture import ERROR, OUTPUT

SILENCE = 0.04  # seconds without more after which what may be the beginning of a value goes on as it is


class Output:
    """The nets of one channel; none where there is no detector. `put` takes what may go on, and its stream."""

    def __init__(self, put: Callable[[bytes, int], None], detector: Detector | None) -> None:
        self._put = put
        self._nets = {} if detector is None else {stream: StreamNet(detector) for stream in (OUTPUT, ERROR)}
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, data: bytes, stream: int) -> None:
        """The server said this."""
        net = self._nets.get(stream)
        if net is None:
            self._put(data, stream)
            return
        given = net.feed(data)
        self._stop()
        if any(other.held for other in self._nets.values()):
            self._timer = asyncio.get_running_loop().call_later(SILENCE, self._flush)
        self._put(given, stream)

    def finish(self) -> None:
        """It will say no more."""
        self._stop()
        for stream, net in self._nets.items():
            self._put(net.finish(), stream)

    def detected(self) -> dict[str, int]:
        """What was found, by detector."""
        found: Counter[str] = Counter()
        for net in self._nets.values():
            found.update(net.taken())
        return dict(found)

    def _flush(self) -> None:
        """Nothing came after what is held back: it may be a prompt that somebody waits for."""
        self._timer = None
        for stream, net in self._nets.items():
            self._put(net.flush(), stream)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
