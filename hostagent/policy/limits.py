"""Which limits count a text, and what a limit that is used up does to its ruling. Nothing is counted here.

A limit counts a text as a deny hits it: one thing in each given list is enough. What it looks at is the ruling (kinds
and relations of the whole text), which is remembered with the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hostagent.policy.fields import ANY, Mode
from hostagent.policy.groups import KIND_WORDS, SSH_WORDS
from hostagent.policy.model import Limit, Policy
from hostagent.policy.names import NamePatterns, Schemas
from hostagent.policy.span import words
from hostagent.sql.analysis import Name
from hostagent.values.actor import Actor, Grade
from hostagent.values.decision import Ruling, Verdict

_PER = {"minute": "a minute", "hour": "an hour", "day": "a day", "run": "a run"}
MAX_REMEMBERED = 1024  # pairs of (actor classes, target), as for rules


@dataclass(frozen=True, slots=True)
class CompiledLimit:
    """A limit with its conditions ready to be asked. None: no such condition."""

    limit: Limit
    kinds: frozenset[str] | None
    relations: NamePatterns | None

    def counts(self, ruling: Ruling, schemas: Schemas) -> bool:
        """Whether a text with that ruling is counted; `schemas` is where its unqualified names resolve."""
        if self.kinds is not None and self.kinds.isdisjoint(ruling.kinds):
            return False
        patterns = self.relations
        if patterns is None:
            return True
        return any(patterns.hit(name, schemas) for text in ruling.relations for name in _readings(text))


@dataclass(frozen=True, slots=True)
class Hit:
    """A limit that is used up. `resets_at`: seconds since the epoch, None where it lasts as long as the run."""

    limit: Limit
    resets_at: float | None

    @property
    def name(self) -> str:
        """The limit's name."""
        return self.limit.name

    def reason(self, now: float) -> str:
        """For the client: which limit, how much it lets through, and when it starts anew."""
        limit = self.limit
        what = f"limit {limit.name} is used up: {limit.max} {limit.what.value} {_PER.get(limit.per, f'in {limit.per}')}"
        if self.resets_at is None:
            return f"{what}; it starts anew with the next run"
        at = datetime.fromtimestamp(self.resets_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{what}; it starts anew at {at}, in {words(self.resets_at - now)}"


def limits_for(policy: Policy, actors: frozenset[str], target: str) -> tuple[CompiledLimit, ...]:
    """The limits that speak of these actors and this target; made once a policy."""
    key = ("limits", actors, target)
    found: tuple[CompiledLimit, ...] | None = policy.remembered.get(key)
    if found is None:
        if len(policy.remembered) >= MAX_REMEMBERED:
            policy.remembered.clear()
        found = tuple(_compile(limit) for limit in policy.limits if _applies(limit, actors, target))
        policy.remembered[key] = found
    return found


def counted_as(limit: Limit, actor: Actor) -> str:
    """What an actor is counted as: a run by its cgroup, else its systemd unit or, without one, its cgroup; empty where
    the whole class is counted together."""
    if limit.by == "class":
        return ""
    unit = actor.attribute("unit")
    if limit.window is None or unit is None or unit.grade is Grade.CLAIMED:
        return actor.cgroup
    return unit.value


def exceeded(mode: Mode, ruling: Ruling, hit: Hit, now: float) -> Ruling:
    """The ruling on a text that goes beyond a limit."""
    limit, reason = hit.limit, hit.reason(now)
    over = Verdict.APPROVE if limit.then == "approve" else Verdict.DENY
    if mode is Mode.OBSERVE:
        return replace(ruling, verdict=Verdict.OBSERVE, rule=limit.name, reason=reason, would=over)
    if over is Verdict.DENY:
        return replace(ruling, verdict=Verdict.DENY, rule=limit.name, reason=reason, would=None, approval="")
    asking = ",".join(filter(None, (ruling.approval, limit.name)))
    return replace(ruling, verdict=Verdict.APPROVE, rule=limit.name, reason=reason, approval=asking)


def _applies(limit: Limit, actors: frozenset[str], target: str) -> bool:
    of_actors = ANY in limit.actors or not actors.isdisjoint(limit.actors)
    return of_actors and (ANY in limit.targets or target in limit.targets)


def _compile(limit: Limit) -> CompiledLimit:
    kinds = frozenset(kind for word in limit.kinds for kind in _meanings(word)) if limit.kinds else None
    return CompiledLimit(limit, kinds, NamePatterns.of(limit.relations) if limit.relations else None)


def _meanings(word: str) -> Iterator[str]:
    yield from (kind.value for kind in KIND_WORDS.get(word, ()))
    yield from (kind.value for kind in SSH_WORDS.get(word, ()))


def _readings(text: str) -> Iterator[Name]:
    """What the text of a name may mean: `schema.name`, where either can hold a dot of its own."""
    if "." not in text:
        yield Name("", text)
    for at, char in enumerate(text):
        if char == ".":
            yield Name(text[:at], text[at + 1 :])
