"""Replay: past decisions, decided again by another policy, and what would come out differently.

What it is not: a proof. What events do not hold is taken as usual: the search path as installed (`schemas`), MySQL
settings as installed, the names that a destination had. Humans and limits are not asked again: a request that was held
or counted compares as what the rules alone say of it. What cannot be decided again at all is counted and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hostagent.policy.decide import decide
from hostagent.policy.dialect import dialect_of
from hostagent.policy.match import actor_classes, find_target
from hostagent.policy.model import Policy
from hostagent.policy.names import Schemas
from hostagent.policy.ssh import decide_operation
from hostagent.ssh.exec import operations_of_exec
from hostagent.ssh.operation import Operation, SshKind
from hostagent.ssh.paths import canonical
from hostagent.values.actor import Actor
from hostagent.values.decision import Ruling, Verdict
from hostagent.values.flow import Endpoint

MAX_REMEMBERED = 50_000  # rulings, by everything that they depend on
NO_TARGET = Ruling(Verdict.DENY, "", "no target of the policy covers the destination")
_OF_LINE = ("scp_", "rsync_", "git_")  # kinds that a command line is taken for


@dataclass(frozen=True, slots=True)
class Past:
    """A recorded decision. `ssh_kind`: what an SSH client asked for; empty for SQL. `text` is None where it was cut."""

    decision: str
    actor: Actor
    target: str
    destination: Endpoint
    text: str | None
    verdict: Verdict
    rule: str
    database: str = ""
    ssh_kind: str = ""
    ssh_login: str = ""
    ssh_destination: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A difference: decisions of one service at one target that would come out differently in the same way."""

    was: Verdict
    now: Verdict
    was_rule: str
    now_rule: str
    target: str
    who: str


@dataclass(slots=True)
class Replayed:
    """What came of it. `examples`: the first decision of each change. `unknown`: why some could not be made again."""

    same: int = 0
    changes: Counter[Change] = field(default_factory=Counter)
    examples: dict[Change, tuple[Past, Ruling]] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """How many would come out differently."""
        return self.changes.total()


class Again:
    """Decides past requests by one policy."""

    def __init__(self, policy: Policy, schemas: Schemas) -> None:
        """`schemas`: where unqualified names resolve in sessions of PostgreSQL."""
        self._policy = policy
        self._schemas = schemas
        self._targets = {target.name: target.protocol for target in policy.targets}
        self._remembered: dict[tuple[object, ...], Ruling] = {}

    def ruling(self, past: Past) -> Ruling | str:
        """What the policy says of it; or why that is not known."""
        target = self._target(past)
        if not target:
            return NO_TARGET
        if past.text is None:
            return "the text was too long to be kept whole in its event"
        actors = actor_classes(self._policy, past.actor)
        key = (actors, target, past.text, past.database, past.ssh_kind, past.ssh_login, past.ssh_destination)
        if (kept := self._remembered.get(key)) is not None:
            return kept
        ruling = self._decided(actors, target, past)
        if isinstance(ruling, Ruling) and len(self._remembered) < MAX_REMEMBERED:
            self._remembered[key] = ruling
        return ruling

    def _target(self, past: Past) -> str:
        if past.target in self._targets:
            return past.target
        found = find_target(self._policy, past.destination, frozenset())
        return found.name if found is not None else ""

    def _decided(self, actors: frozenset[str], target: str, past: Past) -> Ruling | str:
        assert past.text is not None
        over_ssh = self._targets[target] == "ssh"
        if over_ssh != bool(past.ssh_kind):
            return "the target speaks another protocol now"
        if over_ssh:
            operation = operation_of(past)
            return (
                operation if isinstance(operation, str) else decide_operation(self._policy, actors, target, operation)
            )
        mysql = self._targets[target] == "mysql"
        schemas: Schemas = (past.database,) if mysql and past.database else self._schemas
        dialect = dialect_of(self._policy, target, schemas)
        return decide(self._policy, actors, target, dialect.analyze(past.text), schemas, dialect.harmless)


def replay(policy: Policy, decisions: Iterable[Past], schemas: Schemas = ("public",)) -> Replayed:
    """Decide all of them again."""
    again, result = Again(policy, schemas), Replayed()
    for past in decisions:
        ruling = again.ruling(past)
        if isinstance(ruling, str):
            result.unknown[ruling] += 1
        elif ruling.verdict is past.verdict:
            result.same += 1
        else:
            who = _who(past.actor)
            change = Change(past.verdict, ruling.verdict, past.rule, ruling.rule, past.target, who)
            result.changes[change] += 1
            result.examples.setdefault(change, (past, ruling))
    return result


def operation_of(past: Past) -> Operation | str:
    """The SSH operation that its event tells of; or why it is not known."""
    text, login = past.text or "", past.ssh_login
    try:
        kind = SshKind(past.ssh_kind)
    except ValueError:
        return "an SSH operation of an unknown kind"
    if kind is SshKind.EXEC or kind.startswith(_OF_LINE):
        (first, *more) = operations_of_exec(text, login)
        return first if first.kind is kind and not more else "a transfer whose paths its event does not tell"
    if kind in (SshKind.SHELL, SshKind.SHELL_NO_PTY, SshKind.AGENT, SshKind.X11):
        return Operation(kind, login, text)
    if kind in (SshKind.FORWARD_LOCAL, SshKind.FORWARD_REMOTE):
        return Operation(kind, login, text, destination=past.ssh_destination)
    if kind in (SshKind.SUBSYSTEM, SshKind.ENV):
        return Operation(kind, login, text, name=text.rpartition(" ")[2])
    paths = tuple(_paths(text, kind))
    return (
        Operation(kind, login, text, paths=paths) if paths else "a file operation whose paths its event does not tell"
    )


def _paths(text: str, kind: SshKind) -> Iterator[str]:
    """Of an SFTP operation of one path without a space: its text is `sftp`, what is done, and that path."""
    match text.split(" "):
        case ["sftp", done, path] if kind.value == f"sftp_{done}" and path.startswith("/"):
            yield canonical(path)


def _who(actor: Actor) -> str:
    unit = actor.attribute("unit")
    return unit.value if unit is not None else actor.process.executable or actor.cgroup
