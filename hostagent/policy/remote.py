"""Patterns of what is on, or behind, a host that is not here: its paths, and the destinations of forwards.

Paths are those of `glob`, from `/` on, or from `~/` on: the home of the login. Where that is, nobody knows here: an
allow covers a relative path by a `~/` pattern alone. A deny errs on hitting: by the end of a path, as if home were any
directory that it does not name, and by /root and /home/LOGIN; and by all that is below, where that is read or written.
"""

from __future__ import annotations

import ipaddress

from hostagent.policy import glob
from hostagent.ssh.paths import anywhere


def check_remote_path(pattern: str) -> str:
    """The pattern. Raises ValueError when it is none."""
    if pattern == "~" or pattern.startswith("~/"):
        if pattern != "~":
            glob.check_path(pattern[1:])
    elif not pattern.startswith("/"):
        raise ValueError("a path begins with `/`, or with `~/` for the home of the login")
    else:
        glob.check_path(pattern)
    if not {".", ".."}.isdisjoint(pattern.split("/")):
        raise ValueError("paths are compared without `.` and `..`: write what they lead to")
    return pattern


def covers_path(pattern: str, path: str, *, below: bool) -> bool:
    """Whether a canonical path, with all below it where `below`, is what the pattern allows."""
    home, relative = pattern[0] == "~", path[0] != "/"
    if home != relative or anywhere(path):
        return False
    patterns = _segments(pattern)
    return (not below or patterns[-1:] == ["**"]) and _match(patterns, _segments(path))


def hits_path(pattern: str, path: str, *, below: bool, login: str) -> bool:
    """Whether the pattern may be about a canonical path, or about something below it where `below`."""
    if anywhere(path):
        return True
    patterns, segments = _segments(pattern), _segments(path)
    of_home, relative = pattern[0] == "~", path[0] != "/"
    if of_home == relative:
        return _reaches(patterns, segments, below=below)
    homes = (["root"], ["home", login])
    if of_home:
        ends = (segments[at:] for at in range(len(segments) + 1 if patterns[:1] != ["**"] else 1))
        by_name = any(_match(patterns, end) for end in ends)
        return by_name or any(_reaches([*home, *patterns], segments, below=below) for home in homes)
    tails = (patterns[at:] for at in range(len(patterns)) if at == 0 or patterns[at] != "**")
    by_name = any(_reaches(tail, segments, below=below) for tail in tails)
    return by_name or any(_reaches(patterns, [*home, *segments], below=below) for home in homes)


def repositories(path: str) -> tuple[str, ...]:
    """Where git may look for the repository of that canonical path (enter_repo in git's path.c)."""
    base = path.removesuffix("/.git").removesuffix(".git") or path
    return tuple(dict.fromkeys((path, base, f"{base}.git", f"{base}/.git", f"{base}.git/.git")))


def check_destination(pattern: str) -> str:
    """The pattern. Raises ValueError when it is none."""
    host, _, port = pattern.rpartition(":")
    host = host.strip("[]")
    if not host or not (port == "*" or (port.isascii() and port.isdecimal() and 0 < int(port) < 65536)):
        raise ValueError("host:port is needed: db.internal:5432, *.internal:5432, 10.0.0.0/8:22, [::1]:22, or *:22")
    if "/" in host:
        ipaddress.ip_network(host)
    elif "*" in host.removeprefix("*.").removeprefix("*" if host == "*" else "") or not host.isascii():
        raise ValueError("`*` is any host, or stands for the first parts of its name; a network is 10.0.0.0/8")
    return pattern.lower()


def matches_destination(pattern: str, destination: str) -> bool:
    """Whether a destination, `host:port`, is one of those that a pattern names."""
    wanted, _, wanted_port = pattern.rpartition(":")
    host, _, port = destination.rpartition(":")
    if wanted_port not in ("*", port):
        return False
    wanted, host = wanted.strip("[]"), _plain(host)
    if "/" in wanted:
        return _in_network(host, wanted)
    if wanted.startswith("*."):
        return host.endswith(wanted[1:]) and not _is_address(host)
    return wanted == "*" or _plain(wanted) == host


def _plain(host: str) -> str:
    host = host.strip("[]").lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _is_address(host: str) -> bool:
    return _in_network(host, "0.0.0.0/0") or _in_network(host, "::/0")


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _reaches(patterns: list[str], segments: list[str], *, below: bool) -> bool:
    if below and any(_match(patterns[:at], segments) for at in range(len(patterns))):
        return True
    return _match(patterns, segments)


def _match(patterns: list[str], segments: list[str]) -> bool:
    return glob.segments_match(patterns, segments, lambda one, segment: bool(glob.word(one)(segment)))


def _segments(path: str) -> list[str]:
    """Without the `/` or `~/` that it begins with."""
    return [segment for segment in path.removeprefix("~").split("/") if segment not in ("", ".")]
