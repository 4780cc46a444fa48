"""When a secret is asked for again, and until when it is handed out. Arithmetic alone: times are seconds of one clock.

    fetched ──────────── two thirds, less up to a tenth ──▶ refresh ──── retries, 1 s to 60 s apart ────▶ end

Two thirds leave a third of the lifetime for a source that is down. The tenth is chance's: hosts that started together
do not ask together. The end comes a little before the source's own: a login takes time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

REFRESH_AT = 2 / 3  # of the lifetime; Vault's own agent does the same
SPREAD = 0.1  # of the time until the refresh, taken off by chance
MARGIN, MARGIN_SHARE = 5.0, 0.1  # seconds, and share of the lifetime, kept for a login to finish; the smaller counts
FIRST_RETRY, LAST_RETRY = 1.0, 60.0  # seconds
LEAST_LIFETIME = 1.0  # seconds; below it a secret has ended before it can be used


@dataclass(frozen=True, slots=True)
class Deadlines:
    """`refresh`: when to ask for it again; `end`: from then on it is not handed out. Infinite where there is none."""

    refresh: float
    end: float


NEVER = Deadlines(math.inf, math.inf)


def deadlines(asked_at: float, lifetime: float | None, chance: float) -> Deadlines:
    """The deadlines of a secret that was asked for at `asked_at`; `chance` is in [0, 1).

    Raises ValueError for a lifetime that is no time at all.
    """
    if lifetime is None:
        return NEVER
    if not LEAST_LIFETIME <= lifetime < math.inf:
        raise ValueError(f"a lifetime of {lifetime:g} s")
    margin = min(MARGIN, lifetime * MARGIN_SHARE)
    return Deadlines(asked_at + lifetime * REFRESH_AT * (1 - SPREAD * chance), asked_at + lifetime - margin)


def retry_at(now: float, failures: int, chance: float) -> float:
    """When to ask again after that many failures in a row (at least one): 1, 2, 4 … 60 s, and up to a tenth less."""
    wait = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(failures - 1, 16))
    return now + wait * (1 - SPREAD * chance)
