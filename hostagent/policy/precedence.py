"""The one order in which rules answer, whatever is asked: a statement or an SSH operation.

    an enforced deny hits → DENY · no allow, approve or observe covers it → DENY · an approve asks → APPROVE
    no allow covers it → OBSERVE · an observed deny hits, or an observed approve asks → OBSERVE · else ALLOW

An approve asks when it hits as a deny does, or when nothing but it covers what is asked: so an allow never lets through
what a human was to see. All approves that ask must be content.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hostagent.policy.fields import Mode
from hostagent.policy.rules import Rule
from hostagent.values.decision import Ruling, Verdict


class Compiled(Protocol):
    """A rule, ready to be asked."""

    @property
    def rule(self) -> Rule:
        """The rule as it was written."""


C = TypeVar("C", bound=Compiled)


@dataclass(frozen=True, slots=True)
class Selection(Generic[C]):
    """The rules for some actor classes and a target, by effect, in the order of the files."""

    denies: tuple[C, ...]
    approves: tuple[C, ...]
    allows: tuple[C, ...]
    observes: tuple[C, ...]

    @classmethod
    def of(cls, rules: list[C]) -> Selection[C]:
        """These rules."""
        return cls(*(tuple(c for c in rules if c.rule.effect == e) for e in ("deny", "approve", "allow", "observe")))


class Question(ABC, Generic[C]):
    """One thing that is asked for, and how it stands to a rule."""

    __slots__ = ()

    @abstractmethod
    def missed(self, rule: C) -> str:
        """The first condition of the rule as a deny that nothing in it meets, or nothing when the rule hits."""

    @abstractmethod
    def uncovered(self, rule: C) -> tuple[str, str]:
        """The first thing that the rule as an allow does not cover: (condition, value), or ("", "")."""

    @abstractmethod
    def nothing_allows(self, rules: Selection[C]) -> str:
        """Why no rule covers it, for who asks."""

    def unaskable(self) -> str:
        """Why no human can be asked about it, or nothing."""
        return ""


def ruling_on(mode: Mode, rules: Selection[C], question: Question[C]) -> Ruling:
    """What the rules say."""
    hits = [c.rule for c in rules.denies if not question.missed(c)]
    for rule in hits:
        if (rule.mode or mode) is Mode.ENFORCE:
            return Ruling(Verdict.DENY, rule.name, rule.reason or f"denied by rule {rule.name}")
    allowed = _first_covering(rules.allows, question)
    asking, covered = _asking(rules.approves, question, alone=allowed is None)
    observed = None if allowed or covered else _first_covering(rules.observes, question)
    if not (allowed or covered or observed) and mode is Mode.ENFORCE:
        return Ruling(Verdict.DENY, "", question.nothing_allows(rules))
    if enforced := [rule for rule in asking if (rule.mode or mode) is Mode.ENFORCE]:
        return _approve(enforced, question, Verdict.DENY if hits else None)
    if hits:
        rule = hits[0]
        return _observe(rule.name, rule.reason or f"would be denied by rule {rule.name}")
    if asking and (allowed or covered or observed):
        rule = asking[0]
        return _observe(rule.name, rule.reason or f"rule {rule.name} would ask a human", Verdict.APPROVE)
    if allowed is not None:
        return Ruling(Verdict.ALLOW, allowed.name, allowed.reason)
    if observed is not None:
        return _observe(observed.name, observed.reason or f"let through by rule {observed.name}")
    return _observe("", question.nothing_allows(rules))


def _asking(approves: tuple[C, ...], question: Question[C], *, alone: bool) -> tuple[list[Rule], bool]:
    """The approve rules that ask a human, in order, and whether one of them covers all that is asked for.

    `alone`: no allow covers it, so the first approve that does is needed, and asks too.
    """
    if not approves:
        return [], False
    covering = _first_covering(approves, question) if alone else None
    asking = [c.rule for c in approves if c.rule is covering or not question.missed(c)]
    return asking, covering is not None


def _approve(asking: list[Rule], question: Question[C], would: Verdict | None) -> Ruling:
    rule = asking[0]
    if why := question.unaskable():
        return Ruling(Verdict.DENY, rule.name, why)
    reason = rule.reason or f"a human must approve it: rule {rule.name}"
    names = ",".join(rule.name for rule in asking)
    return Ruling(Verdict.APPROVE, rule.name, reason, would=would, approval=names)


def _first_covering(rules: tuple[C, ...], question: Question[C]) -> Rule | None:
    return next((c.rule for c in rules if not question.uncovered(c)[0]), None)


def _observe(rule: str, reason: str, would: Verdict = Verdict.DENY) -> Ruling:
    return Ruling(Verdict.OBSERVE, rule, reason, would=would)
