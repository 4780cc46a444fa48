"""Policy files → Policy. Whatever is wrong with any of them is reported, and then nothing is loaded.

Names are compared across files only once every file is well-formed: a broken file would make others look dangling.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from hostagent.errors import FileError, Location
from hostagent.policy.detectors import DetectorEntry
from hostagent.policy.fields import ANY
from hostagent.policy.masks import MaskEntry
from hostagent.policy.model import Limit, Policy, PolicyFile
from hostagent.policy.problems import FileErrors, Path_, Positions, near
from hostagent.policy.rules import Rule
from hostagent.policy.targets import TargetEntry, TargetMatch
from hostagent.policy.yaml import read_with_positions

PolicyErrors = FileErrors
MAX_FILES = 500

_LISTS = ("actors", "targets", "credentials", "rules", "limits", "masks", "detectors")
# of a rule, limit, mask or detector: the key, which list it names entries of, and what these are called
_NAMED = (
    ("actors", "actors", "class of actors"),
    ("except_actors", "actors", "class of actors"),
    ("targets", "targets", "target"),
)
_Read = tuple[PolicyFile, Positions]


def load_policy(directory: Path) -> Policy:
    """The policy in `directory/*.yaml`, merged in lexical order (or in one file). Raises PolicyErrors, a FileError."""
    read: list[_Read] = []
    errors: list[FileError] = []
    for file in policy_files(directory):
        try:
            read.append(read_with_positions(file, PolicyFile))
        except FileErrors as error:
            errors += error.errors
    errors = errors or [
        *_duplicates(read),
        *_modes(read),
        *_dangling(read),
        *_misused(read),
        *_misplaced(read),
        *_ambiguous(read),
    ]
    if errors:
        raise PolicyErrors(errors)
    return Policy.of(merge([file for file, _ in read]))


def policy_files(directory: Path) -> list[Path]:
    """The files of a policy, in order. Raises PolicyErrors when there is none."""
    where = Location(str(directory))
    try:
        if directory.is_file():
            return [directory]
        files = sorted(p for p in directory.iterdir() if p.suffix == ".yaml" and not p.name.endswith(".cases.yaml"))
    except OSError as error:
        raise PolicyErrors([FileError(where, f"cannot be read: {error.strerror}")]) from None
    if not files:
        raise PolicyErrors([FileError(where, "no policy file (*.yaml) here", "start with policies/default.yaml")])
    if len(files) > MAX_FILES:
        raise PolicyErrors([FileError(where, f"more than {MAX_FILES} policy files")])
    return files


def merge(files: list[PolicyFile]) -> PolicyFile:
    """One file with what all of them say, in order."""
    mode = next((file.mode for file in files if file.mode is not None), None)
    return PolicyFile(
        version=1,
        mode=mode,
        actors=tuple(entry for file in files for entry in file.actors),
        targets=tuple(entry for file in files for entry in file.targets),
        credentials=tuple(entry for file in files for entry in file.credentials),
        rules=tuple(entry for file in files for entry in file.rules),
        limits=tuple(entry for file in files for entry in file.limits),
        masks=tuple(entry for file in files for entry in file.masks),
        detectors=tuple(entry for file in files for entry in file.detectors),
    )


def _duplicates(read: list[_Read]) -> Iterator[FileError]:
    taken: dict[str, dict[str, Location]] = {which: {} for which in _LISTS}
    taken["limits"] = taken["rules"]  # errors, events and approvals name either
    for which in _LISTS:
        first = taken[which]
        for file, positions in read:
            for index, entry in enumerate(getattr(file, which)):
                path: Path_ = (which, index, "name")
                if entry.name in first:
                    yield positions.error(path, f"`{entry.name}` is taken, see {first[entry.name]}", "rename one")
                first.setdefault(entry.name, positions.at(path))


def _modes(read: list[_Read]) -> Iterator[FileError]:
    said = [(file.mode, positions) for file, positions in read if file.mode is not None]
    for mode, positions in said[1:]:
        if mode is not said[0][0]:
            first = said[0][1].at(("mode",))
            yield positions.error(("mode",), f"`{mode}`, but {first} says `{said[0][0]}`", "say it in one file")


def _dangling(read: list[_Read]) -> Iterator[FileError]:
    known: dict[str, set[str]] = {which: {e.name for file, _ in read for e in getattr(file, which)} for which in _LISTS}
    for file, positions in read:
        for index, target in enumerate(file.targets):
            if target.credential and target.credential not in known["credentials"]:
                path: Path_ = ("targets", index, "credential")
                yield _unknown(positions, path, "credential", target.credential, known["credentials"])
        for index, rule in enumerate(file.rules):
            yield from _nobody(positions, ("rules", index), rule, known)
        for index, limit in enumerate(file.limits):
            yield from _nobody(positions, ("limits", index), limit, known)
        for index, mask in enumerate(file.masks):
            yield from _nobody(positions, ("masks", index), mask, known)
        for index, detector in enumerate(file.detectors):
            yield from _nobody(positions, ("detectors", index), detector, known)


def _misused(read: list[_Read]) -> Iterator[FileError]:
    """The targets whose credential is of another protocol."""
    over_ssh = {entry.name: entry.ssh is not None for file, _ in read for entry in file.credentials}
    for file, positions in read:
        for index, target in enumerate(file.targets):
            if target.credential in over_ssh and over_ssh[target.credential] != (target.protocol == "ssh"):
                path: Path_ = ("targets", index, "credential")
                what = "says" if over_ssh[target.credential] else "does not say"
                fix = "give each protocol a credential of its own: `ssh:` says what the secret is to an SSH server"
                yield positions.error(path, f"credential `{target.credential}` {what} `ssh`: {target.protocol}", fix)


def _misplaced(read: list[_Read]) -> Iterator[FileError]:
    """The targets of a rule, limit or mask that is about what they do not speak."""
    over_ssh = {target.name: target.protocol == "ssh" for file, _ in read for target in file.targets}
    for file, positions in read:
        about = [("rules", i, rule.conditions.protocols, rule.targets) for i, rule in enumerate(file.rules)]
        about += [("limits", i, limit.protocols, limit.targets) for i, limit in enumerate(file.limits)]
        about += [("masks", i, frozenset(("sql",)), mask.targets) for i, mask in enumerate(file.masks)]
        for which, index, protocols, targets in about:
            for at, name in enumerate(targets):
                if name in over_ssh and ("ssh" if over_ssh[name] else "sql") not in protocols:
                    what = f"this is about {'SQL' if over_ssh[name] else 'SSH'}, which `{name}` does not speak"
                    yield positions.error((which, index, "targets", at), what, "leave it out, or write one for it")


def _nobody(
    positions: Positions, path: Path_, entry: Rule | Limit | MaskEntry | DetectorEntry, known: dict[str, set[str]]
) -> Iterator[FileError]:
    """The actors and targets of an entry that nothing defines."""
    for key, which, what in _NAMED:
        for at, name in enumerate(getattr(entry, key, None) or ()):
            if name != ANY and name not in known[which]:
                yield _unknown(positions, (*path, key, at), what, name, known[which])


def _unknown(positions: Positions, path: Path_, what: str, name: str, known: set[str]) -> FileError:
    return positions.error(path, f"unknown {what} `{name}`", near(name, known))


def _ambiguous(read: list[_Read]) -> Iterator[FileError]:
    placed = [(t, positions, i) for file, positions in read for i, t in enumerate(file.targets)]
    for (one, _, _), (other, positions, index) in combinations(placed, 2):
        if one.protocol == other.protocol and _collide(one.match, other.match):
            yield positions.error(("targets", index, "match"), _collision(one), "narrow one of them")


def _collision(one: TargetEntry) -> str:
    return f"covers a destination that target `{one.name}` covers as exactly"


def _collide(one: TargetMatch, other: TargetMatch) -> bool:
    """Whether some destination is certain to match both, equally specifically."""
    if (one.hosts is None) != (other.hosts is None) or (one.hosts and set(one.hosts).isdisjoint(other.hosts or ())):
        return False
    if (one.ports is None) != (other.ports is None) or (one.ports and set(one.ports).isdisjoint(other.ports or ())):
        return False
    return set(_networks(one)) == set(_networks(other)) or not set(_networks(one)).isdisjoint(_networks(other))


def _networks(match: TargetMatch) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return (ipaddress.ip_network(address) for address in match.addresses or ())
