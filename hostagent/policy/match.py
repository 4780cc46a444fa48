"""Which classes an actor is in, and which target a destination is.

A value that is not known never matches, not even `*`: an actor is in no class by what nobody could say about it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from hostagent.policy import glob
from hostagent.policy.model import Actors, Policy
from hostagent.policy.targets import TargetEntry, TargetMatch
from hostagent.values.actor import Actor, Grade
from hostagent.values.flow import Endpoint
from hostagent.values.target import Target

ATTRIBUTES = ("unit", "slice", "container_runtime", "container_id", "pod_uid", "ci_provider", "ci_scope")

_Specificity = tuple[bool, int, bool]


def actor_classes(policy: Policy, actor: Actor) -> frozenset[str]:
    """Names of the classes of actors that this actor is in; rules for `*` hold also when there are none."""
    return frozenset(entry.name for entry in policy.actors if not mismatch(entry, actor))


def mismatch(entry: Actors, actor: Actor) -> str:
    """The first field of a class that this actor does not match, or nothing when it is in the class."""
    return next((name for name, matches in _checks(entry, actor) if not matches), "")


def _checks(entry: Actors, actor: Actor) -> Iterator[tuple[str, bool]]:
    if entry.uid is not None:
        yield "uid", actor.uid in entry.uid
    yield "user", _word(entry.user, actor.user)
    yield "login_user", _word(entry.login_user, actor.login_user)
    yield "cgroup", _path(entry.cgroup, [actor.cgroup])
    yield "executable", _path(entry.executable, [actor.process.executable])
    yield "parent_executable", _path(entry.parent_executable, [parent.executable for parent in actor.parents])
    yield "command_line", _word(entry.command_line, " ".join(actor.process.command_line))
    wanted = {name: getattr(entry, name) for name in ATTRIBUTES} | (entry.attributes or {})
    for name, patterns in wanted.items():
        yield name, patterns is None or _word(patterns, _proven(actor, name, entry.grade))


def _proven(actor: Actor, name: str, least: Grade) -> str:
    attribute = actor.attribute(name)
    return attribute.value if attribute is not None and attribute.grade.rank >= least.rank else ""


def _word(patterns: tuple[str, ...] | None, value: str) -> bool:
    return patterns is None or (value != "" and any(glob.word(pattern)(value) for pattern in patterns))


def _path(patterns: tuple[str, ...] | None, values: Iterable[str]) -> bool:
    if patterns is None:
        return True
    return any(glob.path_matches(pattern, value) for value in values if value for pattern in patterns)


def find_target(policy: Policy, destination: Endpoint, names: frozenset[str], spoken: str = "") -> Target | None:
    """The target that a destination is; `names` are names that resolve to its address. None: no target, so denied.

    An empty address is one that is not known: then only targets match that names alone say.

    Where several match, the most specific: one that gives hosts, then the longest network prefix, then one that gives
    ports. Of those that are equally specific it is the one whose protocol is `spoken`, where that is known; else None:
    a guess could hand a credential to the wrong server.
    """
    lowered = frozenset(name.lower().rstrip(".") for name in names)
    found = [(s, t) for t in policy.targets if (s := _specificity(t.match, destination, lowered)) is not None]
    if not found:
        return None
    best = max(specificity for specificity, _ in found)
    finest = [target for specificity, target in found if specificity == best]
    if len(finest) > 1:
        finest = [target for target in finest if target.protocol == spoken]
    return target_value(finest[0], lowered) if len(finest) == 1 else None


def target_value(entry: TargetEntry, names: frozenset[str] = frozenset()) -> Target:
    """The value that sessions and the upstream leg use. Without a `server_name`, the host that matched is the name."""
    tls = entry.tls
    matched = sorted(names.intersection(entry.match.hosts or ()))
    server_name = tls.server_name or (matched[0] if matched else "")
    return Target(
        name=entry.name,
        protocol=entry.protocol,
        tls=tls.upstream,
        ca_file=tls.ca_file or "",
        server_name=server_name,
        credential=entry.credential or "",
        login=_asks_for_login(entry),
    )


def _asks_for_login(entry: TargetEntry) -> bool:
    """Whether something of ours is needed as soon as a flow opens. SSH asks later, when it knows the login name; a
    placeholder needs a credential."""
    return entry.protocol != "ssh" and (entry.credential is not None or entry.tls.cert_file is not None)


def _specificity(match: TargetMatch, destination: Endpoint, names: frozenset[str]) -> _Specificity | None:
    """How exactly a match covers a destination, or None when it does not."""
    if match.ports is not None and destination.port not in match.ports:
        return None
    if match.hosts is not None and names.isdisjoint(match.hosts):
        return None
    prefix = _longest_prefix(match.addresses, destination.address) if match.addresses is not None else -1
    return None if prefix is None else (match.hosts is not None, prefix, match.ports is not None)


def _longest_prefix(networks: tuple[str, ...], address: str) -> int | None:
    if not address:
        return None
    host = ipaddress.ip_address(address)
    covering = (network for network in map(ipaddress.ip_network, networks) if host in network)
    return max((network.prefixlen for network in covering), default=None)
