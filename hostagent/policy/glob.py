"""Globs: `*` any characters, `?` one; in paths neither crosses a `/`, and a segment `**` stands for any number of them.

There are no character classes and no braces: a list says the same, and says it readably. Matching takes time in the
length of pattern times text, whatever they are: the text may come from whom the pattern is meant to hold.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

MAX_PATTERN = 4096  # characters; as long as a path can be

Matches = Callable[[str], object]


def check_word(pattern: str) -> str:
    """The pattern. Raises ValueError when it is none."""
    if not pattern:
        raise ValueError("an empty pattern matches nothing")
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern has at most {MAX_PATTERN} characters")
    if not pattern.isprintable():
        raise ValueError("a pattern holds no control characters")
    if set(pattern) & set("[]{}"):
        raise ValueError("[ ] { } are not special in a pattern: use a list of patterns")
    if "**" in pattern:
        raise ValueError("`**` is for paths: `*` matches any characters here")
    return pattern


def check_path(pattern: str) -> str:
    """The path pattern. Raises ValueError when it is none."""
    check_word(pattern.replace("**", "*"))
    if not pattern.startswith("/"):
        raise ValueError("a path pattern starts with `/`")
    if any("**" in segment and segment != "**" for segment in pattern.split("/")):
        raise ValueError("`**` stands alone between slashes")
    if "//" in pattern or (pattern != "/" and pattern.endswith("/")):
        raise ValueError("a path pattern has no empty segment")
    return pattern


@lru_cache(maxsize=4096)
def word(pattern: str) -> Matches:
    """A matcher of whole words."""
    return re.compile(fnmatch.translate(pattern)).match


def path_matches(pattern: str, path: str) -> bool:
    """Whether a path pattern matches the whole of a path. `/a/**` matches `/a` too."""
    return segments_match(split(pattern), split(path), lambda one, segment: bool(word(one)(segment)))


def segments_match(patterns: Sequence[str], segments: Sequence[str], matches: Callable[[str, str], bool]) -> bool:
    """Whether patterns match all segments, one each, and `**` any number of them."""
    at = star = 0
    retry = -1
    for_star = 0
    while at < len(segments):
        if star < len(patterns) and patterns[star] == "**":
            retry, for_star = star, at
            star += 1
        elif star < len(patterns) and matches(patterns[star], segments[at]):
            star += 1
            at += 1
        elif retry >= 0:
            for_star += 1
            star, at = retry + 1, for_star
        else:
            return False
    return all(rest == "**" for rest in patterns[star:])


def split(path: str) -> list[str]:
    """The segments of an absolute path; none of `/`."""
    return path.split("/")[1:] if path != "/" else []
