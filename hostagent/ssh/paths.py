"""Paths on a host that is not here: made canonical by their text alone. Links are not seen.

A path that does not begin with `/` is relative to the home of the login, which is not known: it stays relative. If it
then begins with `..` or `~`, it is anywhere.
"""

from __future__ import annotations

MAX_PATH = 4096  # characters; Linux knows no longer one
MAX_DEPTH = 256  # names; far deeper than what is there, and little enough to be compared name by name


def canonical(path: str) -> str:
    """The path without `//`, `.` and, by its text, `..`: `/srv/a`, `a/b`, `../b`, and `.` for the home itself."""
    kept: list[str] = []
    rooted = path.startswith("/")
    for segment in path.split("/"):
        if segment in ("", "."):
            continue
        if segment != "..":
            kept.append(segment)
        elif kept and kept[-1] != "..":
            kept.pop()
        elif not rooted:
            kept.append(segment)
    return ("/" if rooted else "") + "/".join(kept) or "."


def climbs(path: str) -> bool:
    """Whether `..` stands after a name: where that leads, a link before it decides."""
    named = False
    for segment in path.split("/"):
        if segment == ".." and named:
            return True
        named = named or segment not in ("", ".", "..")
    return False


def anywhere(path: str) -> bool:
    """Whether a canonical path is neither absolute nor below the login's home, or is too long to be compared."""
    too_long = len(path) > MAX_PATH or path.count("/") > MAX_DEPTH
    return too_long or path.split("/", 1)[0] == ".." or path.startswith("~")
