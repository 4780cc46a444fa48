"""What the supervisor counts, and the last thing that went wrong. Read by `status`."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Counters since the start; `refused` by form (as the hooks name it)."""

    attributed: int = 0
    unattributed: int = 0
    swept: int = 0
    drift: int = 0
    last_drift: str = ""
    refused: Counter[str] = field(default_factory=Counter)
    child_ends: Counter[str] = field(default_factory=Counter)
    last_error: str = ""

    def failed(self, what: str) -> None:
        """Remember a fault as the last one, with the time of day."""
        self.last_error = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {what}"
