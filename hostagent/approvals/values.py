"""What is asked, who asks, who answers, and what comes of it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from hostagent.errors import HostError
from hostagent.values.actor import Actor, Grade

CANCELLED = "cancelled by the client"  # why a request is withdrawn, where the client asked for it
MAX_REASON = 500  # characters; it stands in events and in the client's error


class State(StrEnum):
    """Where a request stands. All but WAITING are final."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # the client cancelled or left, its worker died, or the policy changed


class Via(StrEnum):
    """How an approver was identified."""

    SOCKET = "socket"  # by the kernel: SO_PEERCRED
    WEBHOOK = "webhook"  # a name that the holder of the webhook's key claims
    GRANT = "grant"  # an approval for a window of time that was given before


class Problem(StrEnum):
    """Why an answer was not taken."""

    UNKNOWN = "unknown"  # no such request or grant
    SETTLED = "settled"  # it was answered before, or its time is over
    FORBIDDEN = "forbidden"  # not by this approver
    WRONG = "wrong"  # not on these terms


class NotTaken(HostError):
    """An answer that was not taken; nothing has changed."""

    def __init__(self, problem: Problem, what: str, hint: str = "") -> None:
        self.problem = problem
        super().__init__(what, hint)


class Bound(NamedTuple):
    """A bound value, exactly: `form` is text, hex (binary format, or not valid in the session's encoding) or null."""

    form: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks. `service` is what it runs in: the cgroup of its unit, or its own."""

    uid: int
    user: str
    login_uid: int | None
    login_user: str
    cgroup: str
    service: str
    unit: str
    executable: str
    pid: int

    @classmethod
    def of(cls, actor: Actor) -> Requester:
        """From an actor."""
        unit = actor.attribute("unit")
        name = unit.value if unit is not None and unit.grade is not Grade.CLAIMED else ""
        head, found, _ = f"{actor.cgroup}/".partition(f"/{name}/") if name else ("", "", "")
        return cls(
            actor.uid,
            actor.user,
            actor.login_uid,
            actor.login_user,
            actor.cgroup,
            f"{head}/{name}" if found else actor.cgroup,
            name,
            actor.process.executable,
            actor.process.pid,
        )

    @property
    def humans(self) -> frozenset[int]:
        """The uids that stand behind it: what it runs as, and who logged in."""
        return frozenset({self.uid} | ({self.login_uid} if self.login_uid is not None else set()))

    def contains(self, cgroup: str) -> bool:
        """Whether a process of that cgroup belongs to the requester's service. The root cgroup is no service."""
        return self.service != "/" and f"{cgroup}/".startswith(f"{self.service}/")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that waits. `id` is its decision's; `template` is its text with literals taken out, or its text.
    `what` is what humans call it: statement, command, shell, transfer, forward …

    `rules` name the approve rules and limits that ask. Times are seconds since the epoch.
    """

    id: str
    worker: str
    flow: str
    requester: Requester
    target: str
    text: str
    values: tuple[Bound, ...]
    template: str
    rules: tuple[str, ...]
    asked_at: float
    expires_at: float
    cancel_keys: frozenset[str] = frozenset()
    what: str = "statement"

    @property
    def scope(self) -> tuple[object, ...]:
        """What a grant is good for, but for the statement."""
        who = self.requester
        return (who.unit or who.cgroup, who.uid, who.login_uid, self.target, self.rules)


@dataclass(frozen=True, slots=True)
class Approver:
    """Who answers. `uid` is None where only a name is claimed; `groups` are names of groups of this host."""

    name: str
    via: Via
    uid: int | None = None
    login_uid: int | None = None
    groups: frozenset[str] = frozenset()
    cgroup: str = ""

    @property
    def humans(self) -> frozenset[int]:
        """The uids that stand behind it. Root by sudo is whoever logged in, not one more human."""
        uids = frozenset(uid for uid in (self.uid, self.login_uid) if uid is not None)
        return uids - {0} if self.login_uid is not None else uids

    def __str__(self) -> str:
        if self.via is Via.WEBHOOK:
            return f"{self.name} (claimed through the webhook)"
        behind = f", logged in as {self.login_uid}" if self.login_uid not in (None, self.uid) else ""
        return f"{self.name} (uid {self.uid}{behind})"


@dataclass(frozen=True, slots=True)
class Answer:
    """One approver's word. `window`: seconds for which such statements may run without asking; 0 for this one alone.

    `any_statement`: within the window every statement that the same rules ask about, not only this one with other
    literals.
    """

    approver: Approver
    approves: bool
    reason: str
    at: float
    window: int = 0
    any_statement: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """An approval for a window of time. `template` is empty where any statement will do."""

    id: str
    scope: tuple[object, ...]
    template: str
    until: float
    made_at: float
    approvers: tuple[Approver, ...]
    request: Asked
    flows: set[tuple[str, str]] = field(default_factory=set, compare=False)

    def covers(self, asked: Asked, now: float) -> bool:
        """Whether it is good for that statement now."""
        return now < self.until and self.scope == asked.scope and self.template in ("", asked.template)


@dataclass(frozen=True, slots=True)
class Fact:
    """One event for the chain: its stable word, a sentence, and details."""

    kind: str
    text: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """A request has its answer: what its worker is told. `by` names who approved or denied."""

    worker: str
    flow: str
    id: str
    state: State
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What a change of the queue brings: events, answers to workers, and flows that must end."""

    facts: tuple[Fact, ...] = ()
    settled: tuple[Settled, ...] = ()
    ended: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: Step) -> Step:
        return Step(self.facts + other.facts, self.settled + other.settled, self.ended + other.ended)
