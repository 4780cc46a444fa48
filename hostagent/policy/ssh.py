"""(actor classes, target, operation) → Ruling: which SSH operations are let through.

- One allow (or approve, or observe) rule must cover the whole operation: its kind, its login, and every command, path
  or other thing that it names. What could not be taken apart is denied in every mode, unless a rule says `unparsed`.
- A deny or approve hits when one thing in each given list that is about such operations matches. It errs on hitting:
  what could not be taken apart may be anything.
- What cannot be done without goes along with what is allowed: opening the sftp subsystem and asking where home is with
  any sftp operation, harmless environment variables with anything. A deny hits these like all else.
- Agent forwarding is denied whatever rules say.

In which order rules answer, `precedence` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hostagent.policy import glob
from hostagent.policy.commands import CommandPattern
from hostagent.policy.conditions import ABOUT, NEEDED, NO_AGENT, Conditions
from hostagent.policy.decide import applies
from hostagent.policy.groups import HARMLESS_ENVIRONMENT, SSH_GROUPS
from hostagent.policy.model import Policy
from hostagent.policy.precedence import Question, Selection, ruling_on
from hostagent.policy.remote import covers_path, hits_path, matches_destination, repositories
from hostagent.policy.rules import Rule
from hostagent.ssh.operation import Operation, SshKind
from hostagent.values.decision import Ruling, Verdict

MAX_SELECTIONS = 1024  # remembered pairs of (actor classes, target); a host has a few dozen
SHOWN = 5  # patterns that a denied client is told of

_SFTP = frozenset(kind for kind in SshKind if kind.value.startswith("sftp_"))
_GIT = SSH_GROUPS["git"]


@dataclass(frozen=True, slots=True)
class SshRule:
    """A rule with its conditions ready to be asked. `own`: the login that the target's credential names."""

    rule: Rule
    kinds: frozenset[SshKind]
    commands: tuple[CommandPattern, ...]
    own: str

    @classmethod
    def of(cls, rule: Rule, own: str) -> SshRule:
        """The rule, ready to be asked."""
        given = rule.conditions
        return cls(rule, given.ssh_kinds, tuple(map(CommandPattern.of, given.commands or ())), own)

    @property
    def given(self) -> Conditions:
        """Its conditions."""
        return self.rule.conditions

    @property
    def sweeping(self) -> bool:
        """Whether it covers its kinds without more conditions: all of them, or what a human sees."""
        return "any" in (self.given.kinds or ()) or self.rule.effect == "approve"

    def is_for(self, login: str) -> bool:
        """Whether it covers that login: one that it names, else the target's own."""
        logins = self.given.logins
        return login != "" and login == self.own if logins is None else _matches(logins, login)


@dataclass(frozen=True, slots=True)
class AskedOperation(Question[SshRule]):
    """An SSH operation."""

    operation: Operation

    def missed(self, rule: SshRule) -> str:
        """The first condition that nothing in the operation meets, or nothing when the rule hits."""
        operation, given = self.operation, rule.given
        if operation.kind not in rule.kinds:
            return "kinds"
        if given.logins is not None and not _matches(given.logins, operation.login):
            return "logins"
        asking = rule.rule.effect == "approve"  # there, what commands may do besides makes no difference
        besides = ("unparsed", "redirections" if given.commands else "") if asking else ()
        own = [name for name in given.given if name not in ("logins", *besides)]
        about = [name for name in own if operation.kind in ABOUT[name] or (name == "unparsed" and operation.unparsed)]
        if own and not about:
            return own[0]
        return next((name for name in about if not self._hits(name, rule)), "")

    def uncovered(self, rule: SshRule) -> tuple[str, str]:
        """The first thing that the rule does not cover: (condition, value), or ("", "")."""
        operation, given = self.operation, rule.given
        along = self.goes_along(rule)
        if not along and operation.kind not in rule.kinds:
            return "kinds", operation.kind.value
        if not rule.is_for(operation.login):
            return "logins", operation.login
        if along:
            return "", ""
        if operation.unparsed:
            whatever = given.unparsed and (operation.kind is SshKind.EXEC or not given.paths)
            return ("", "") if whatever else ("unparsed", operation.unparsed)
        names = [name for name in _UNCOVERED if operation.kind in ABOUT[name]]
        for name in names:
            needed = not rule.sweeping and (name == "redirections" or NEEDED.get(operation.kind) == name)
            if (getattr(given, name) or needed) and (left := _UNCOVERED[name](self, rule)):
                return name, left[0]
        return "", ""

    def goes_along(self, rule: SshRule) -> bool:
        """Whether what the rule is about cannot be done without this operation, and the operation does no more."""
        kind, name = self.operation.kind, self.operation.name
        if kind is SshKind.ENV:
            return _matches(HARMLESS_ENVIRONMENT, name)
        opening = kind is SshKind.SUBSYSTEM and name == "sftp"
        asking_home = kind is SshKind.SFTP_STAT and self.operation.paths == (".",)
        return (opening or asking_home) and not _SFTP.isdisjoint(rule.kinds)

    def nothing_allows(self, rules: Selection[SshRule]) -> str:
        """Why, in the words of the rule that came nearest, and what it allows."""
        kind = self.operation.kind
        if self.operation.unparsed:
            return f"its meaning is not known: {self.operation.unparsed}"
        order = ("kinds", "logins", *_UNCOVERED)
        gaps = [(self.uncovered(c), c) for c in (*rules.allows, *rules.approves, *rules.observes)]
        if not gaps:
            return f"no rule allows {kind}: none speaks of this actor and target"
        (what, value), rule = max(gaps, key=lambda gap: order.index(gap[0][0]))
        return f"no rule allows {kind}{self._instead(what, value, rule)}"

    def _instead(self, what: str, value: str, rule: SshRule) -> str:
        """What is not allowed, and what is."""
        if what == "logins":
            known = rule.given.logins or tuple(filter(None, (rule.own,)))
            return f" as {value}{_allowed(rule, known)}"
        if what == "paths" and self.operation.below:
            return f" of {value} and all below it{_allowed(rule, rule.given.paths or ())}"
        if what in ("commands", "paths", "destinations"):
            return f" of {value}{_allowed(rule, getattr(rule.given, what) or ())}"
        if what == "redirections":
            return f" with a redirection of {value}: leave it out"
        return f" of {value}" if what != "kinds" else ""

    def _hits(self, name: str, rule: SshRule) -> bool:
        operation, given = self.operation, rule.given
        if name == "unparsed" or operation.unparsed:
            return bool(operation.unparsed)
        if name == "paths" and not operation.paths:
            return True
        if name == "commands":
            return any(pattern.hits(argv) for argv in operation.words for pattern in rule.commands)
        if name in ("paths", "redirections"):
            return any(
                hits_path(pattern, place, below=operation.below, login=operation.login)
                for path in operation.paths
                for place in (repositories(path) if operation.kind in _GIT else (path,))
                for pattern in getattr(given, name)
            )
        if name == "destinations":
            return any(matches_destination(pattern, operation.destination) for pattern in given.destinations or ())
        return _matches(getattr(given, name), operation.name)

    def uncovered_commands(self, rule: SshRule) -> list[str]:
        """The commands that no pattern covers."""
        if not self.operation.words:
            return [self.operation.text]
        return [" ".join(argv) for argv in self.operation.words if not any(p.covers(argv) for p in rule.commands)]

    def uncovered_paths(self, patterns: tuple[str, ...] | None) -> list[str]:
        """The paths that no pattern covers."""
        operation = self.operation
        covered = [any(covers_path(p, path, below=operation.below) for p in patterns or ()) for path in operation.paths]
        return [path for path, is_covered in zip(operation.paths, covered, strict=True) if not is_covered]

    def uncovered_destination(self, rule: SshRule) -> list[str]:
        """The destination, when no pattern is about it."""
        destination = self.operation.destination
        covered = any(matches_destination(pattern, destination) for pattern in rule.given.destinations or ())
        return [] if covered else [destination]

    def uncovered_name(self, patterns: tuple[str, ...] | None) -> list[str]:
        """The name, when no pattern is about it."""
        return [] if _matches(patterns or (), self.operation.name) else [self.operation.name]


# What an allow may leave uncovered, in the order in which it is asked.
_UNCOVERED: dict[str, Callable[[AskedOperation, SshRule], list[str]]] = {
    "commands": AskedOperation.uncovered_commands,
    "redirections": lambda asked, rule: asked.uncovered_paths(rule.given.redirections),
    "paths": lambda asked, rule: asked.uncovered_paths(rule.given.paths) or ([] if asked.operation.paths else ["?"]),
    "destinations": AskedOperation.uncovered_destination,
    "environment": lambda asked, rule: asked.uncovered_name(rule.given.environment),
    "subsystems": lambda asked, rule: asked.uncovered_name(rule.given.subsystems),
    "extensions": lambda asked, rule: asked.uncovered_name(rule.given.extensions),
}


def decide_operation(policy: Policy, actors: frozenset[str], target: str, operation: Operation) -> Ruling:
    """What policy says of one operation."""
    return replace(_decide(policy, actors, target, operation), kinds=(operation.kind.value,))


def decided_by_line(policy: Policy, actors: frozenset[str], target: str, shell: Operation) -> bool:
    """Whether lines of a shell without a terminal may be decided one by one: no rule speaks of that shell, and some let
    commands through for its login."""
    ruling = decide_operation(policy, actors, target, shell)
    rules = select_ssh(policy, actors, target)
    runs = (rule for rule in (*rules.allows, *rules.approves, *rules.observes) if SshKind.EXEC in rule.kinds)
    return ruling.verdict is Verdict.DENY and not ruling.rule and any(rule.is_for(shell.login) for rule in runs)


def select_ssh(policy: Policy, actors: frozenset[str], target: str) -> Selection[SshRule]:
    """The rules about SSH that speak of these actors and this target; made once a policy."""
    key = ("ssh", actors, target)
    selection: Selection[SshRule] | None = policy.remembered.get(key)
    if selection is None:
        if len(policy.remembered) >= MAX_SELECTIONS:
            policy.remembered.clear()
        own = own_login(policy, target)
        chosen = [SshRule.of(rule, own) for rule in policy.rules if applies(rule, actors, target, "ssh")]
        selection = policy.remembered[key] = Selection.of(chosen)
    return selection


def own_login(policy: Policy, target: str) -> str:
    """The login that the target's credential names, empty when it names none."""
    name = next((entry.credential for entry in policy.targets if entry.name == target), None)
    return next((entry.user or "" for entry in policy.credentials if entry.name == name), "")


def _decide(policy: Policy, actors: frozenset[str], target: str, operation: Operation) -> Ruling:
    if operation.kind is SshKind.AGENT:
        return Ruling(Verdict.DENY, "", NO_AGENT)
    asked, rules = AskedOperation(operation), select_ssh(policy, actors, target)
    ruling = ruling_on(policy.mode, _unasked(rules, asked), asked)
    candidates = (*rules.allows, *rules.approves, *rules.observes)
    if operation.unparsed and ruling.verdict is not Verdict.DENY and all(asked.uncovered(c)[0] for c in candidates):
        return Ruling(Verdict.DENY, "", asked.nothing_allows(rules))
    return ruling


def _unasked(rules: Selection[SshRule], asked: AskedOperation) -> Selection[SshRule]:
    """The rules, with the approves that the operation goes along with taken for allows: humans are asked about what
    comes after. One that names the subsystem asks about its opening."""
    along = tuple(c for c in rules.approves if asked.goes_along(c) and not c.given.subsystems)
    asking = tuple(c for c in rules.approves if c not in along)
    return Selection(rules.denies, asking, (*rules.allows, *along), rules.observes)


def _matches(patterns: tuple[str, ...], value: str) -> bool:
    return value != "" and any(glob.word(pattern)(value) for pattern in patterns)


def _allowed(rule: SshRule, patterns: tuple[str, ...]) -> str:
    """What a denied client is told that it may do instead."""
    more = " …" if len(patterns) > SHOWN else ""
    return f"; rule {rule.rule.name} allows: {', '.join(patterns[:SHOWN])}{more}" if patterns else ""
