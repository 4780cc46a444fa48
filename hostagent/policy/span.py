"""Spans of time as policy files write them: `90s`, `15m`, `1h`, `7d`."""

from __future__ import annotations

import re

_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WORDS = {"minute": 60, "hour": 3600, "day": 86400}


def seconds(text: str) -> int:
    """How many seconds a span is; also of `minute`, `hour` and `day`. Raises ValueError for what is none."""
    if text in _WORDS:
        return _WORDS[text]
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:64]!r} is no span of time such as 90s, 15m, 1h or 7d")
    return int(match[1]) * _SECONDS[match[2]]


def words(span: float) -> str:
    """The span in whole units, at most two of them: `1 h 5 min`. Rounded up to a second."""
    whole = max(1, int(-(-span // 1)))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
