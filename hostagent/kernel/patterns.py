"""Cgroup patterns: `/agents.slice`, `/system.slice/docker-*.scope`. `*` stands for any text within one segment.

A pattern names cgroups; what lies below one that matches is governed (or exempt) with it, until a nearer one says
otherwise. The same text goes to the kernel, which compares it as a cgroup is made: both sides must agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hostagent.kernel.layout import MAX_PATTERNS, PATTERN_BYTES, Verdict


@dataclass(frozen=True, slots=True)
class Pattern:
    """A valid pattern and what it decides."""

    text: str
    verdict: Verdict

    def matches(self, path: str) -> bool:
        """Whether it names exactly this cgroup path (not: one above it)."""
        expression = "[^/]*".join(re.escape(part) for part in self.text.split("*"))
        return re.fullmatch(expression, path, re.DOTALL) is not None


def compile(text: str, verdict: Verdict = Verdict.GOVERN) -> Pattern:
    """The pattern of that text. ValueError says what is wrong with it."""
    if not text.startswith("/"):
        raise ValueError(f"cgroup pattern {text!r} does not begin with /")
    if len(text.encode()) >= PATTERN_BYTES:
        raise ValueError(f"cgroup pattern {text!r} is longer than {PATTERN_BYTES - 1} bytes")
    if "\0" in text or "\n" in text:
        raise ValueError(f"cgroup pattern {text!r} contains a control character")
    segments = text[1:].split("/")
    if text != "/" and any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(f"cgroup pattern {text!r} has an empty or relative segment")
    if "**" in text:
        raise ValueError(f"cgroup pattern {text!r}: ** means nothing here; what lies below a match is included anyway")
    return Pattern(text, verdict)


def compile_all(govern: Iterable[str], exempt: Iterable[str]) -> tuple[Pattern, ...]:
    """Both lists, each text once. ValueError for a bad pattern, or for more than the kernel's table holds."""
    found = tuple(compile(text, Verdict.EXEMPT) for text in dict.fromkeys(exempt))
    found += tuple(compile(text, Verdict.GOVERN) for text in dict.fromkeys(govern))
    if len(found) > MAX_PATTERNS:
        raise ValueError(f"{len(found)} cgroup patterns; at most {MAX_PATTERNS} are possible")
    return found


def verdict_of(path: str, patterns: Iterable[Pattern]) -> Verdict | None:
    """What the patterns say about one path itself: exempt before govern, or None."""
    verdicts = {pattern.verdict for pattern in patterns if pattern.matches(path)}
    return Verdict.EXEMPT if Verdict.EXEMPT in verdicts else Verdict.GOVERN if verdicts else None
