"""A draft of policy from what was denied: targets for destinations that none covers, rules as comments.

What was let through in `mode: observe` alone is among it.

What it is not: a decision. Nobody reads the draft but a human; every rule in it is a comment, and each target says who
asked for it. Two rules:

1. Every value comes from events, which programs on this host had a part in: it is written as a quoted JSON string.
2. What was spoken is what the refusal says of it; else the port tells what is usual there, and the draft says so.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

PROTOCOLS = {5432: "postgres", 6432: "postgres", 3306: "mysql", 3307: "mysql", 22: "ssh", 2222: "ssh"}
MAX_EXAMPLES = 5  # statements shown beside a rule, the most frequent first
MAX_SHOWN = 120  # characters of each
_NOT_ALLOWED = re.compile(r"no rule allows (?!the )([a-z_, ]+?)(?: on (\S+))?(?::|$)")
_NO_TARGET = "no target of the policy covers"
_SPOKEN = re.compile(r"\(the client (?:speaks|waits for its server, as one of) (postgres|mysql|ssh)\b")
_WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Denied:
    """One denial. `who`: unit or executable; `destination`: `address:port`; `target`: empty when none covers it."""

    destination: str
    target: str
    who: str
    reason: str
    text: str = ""


def draft(denials: Iterable[Denied]) -> str:
    """The YAML; empty when nothing was denied that a target or an allow would change."""
    unlisted: dict[str, Counter[str]] = {}
    spoken: dict[str, str] = {}
    unruled: dict[tuple[str, str], list[Denied]] = {}
    for denied in denials:
        if not denied.target and _NO_TARGET in denied.reason:
            unlisted.setdefault(denied.destination, Counter())[denied.who] += 1
            if said := _SPOKEN.search(denied.reason):
                spoken[denied.destination] = said[1]
        elif denied.target and _NOT_ALLOWED.match(denied.reason):
            unruled.setdefault((denied.target, denied.who), []).append(denied)
    drafted = [_target(destination, who, spoken.get(destination, "")) for destination, who in sorted(unlisted.items())]
    lines = [line for target in drafted for line in target]
    rules = [line for (target, who), found in sorted(unruled.items()) for line in _rule(target, who, found)]
    if not lines and not rules:
        return ""
    head = ["# A draft of what was denied, or would have been. Read it: nothing of it is in force.", "version: 1"]
    return "\n".join([*head, *(["targets:", *lines] if lines else []), *(["# rules:", *rules] if rules else []), ""])


def _target(destination: str, who: Counter[str], spoken: str) -> list[str]:
    address, _, port = destination.rpartition(":")
    protocol = spoken or PROTOCOLS.get(int(port), "postgres")
    usual = "usual at this port" if int(port) in PROTOCOLS else "not known: say postgres, mysql or ssh"
    if spoken:
        usual = "waited for its server, as a client of MySQL does" if spoken == "mysql" else "what the client spoke"
    bits = 128 if ":" in address else 32
    lines = [f"  # asked for {count} times by {_quoted(name)}" for name, count in who.most_common(MAX_EXAMPLES)]
    lines += [
        f"  - name: {_name(protocol, address, port)}",
        f"    protocol: {protocol}  # {usual}",
        f"    match: {{addresses: [{_quoted(f'{address}/{bits}')}], ports: [{int(port)}]}}",
    ]
    if protocol == "ssh":
        return [*lines, "    # host_keys: {pinned: SHA256:…}  # ssh-keyscan, compared with what the operator says"]
    return [*lines, "    tls: {upstream: verify-full}  # with ca_file and server_name where its certificate needs them"]


def _rule(target: str, who: str, found: list[Denied]) -> list[str]:
    kinds: set[str] = set()
    relations: set[str] = set()
    for denied in found:
        if match := _NOT_ALLOWED.match(denied.reason):
            kinds.update(re.split(r", | and ", match[1]))
            relations.update([match[2]] if match[2] else [])
    allow = f"kinds: {json.dumps(sorted(kinds))}"
    allow += f", relations: {json.dumps(sorted(relations))}" if relations else ""
    texts = Counter(denied.text for denied in found if denied.text)
    examples = [f"#   # {count} × {_quoted(text[:MAX_SHOWN])}" for text, count in texts.most_common(MAX_EXAMPLES)]
    return [
        f"#   # not allowed {len(found)} times at {_quoted(target)} to {_quoted(who)}, such as",
        *examples,
        f"#   - name: {_name('allow', who, target)}",
        f"#     actors: …  # the class of {_quoted(who)}",
        f"#     targets: [{_quoted(target)}]",
        f"#     allow: {{{allow}}}",
    ]


def _name(*parts: str) -> str:
    return "-".join(word for part in parts for word in _WORDS.split(part.lower()) if word)[:60]


def _quoted(value: str) -> str:
    """One line, whatever is in it: JSON is YAML."""
    return json.dumps(value)
