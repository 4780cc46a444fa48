"""Why a text is decided as it is: every rule, for every statement, with what it matched or missed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hostagent.policy.conditions import Protocol
from hostagent.policy.decide import CompiledRule, Harmless, compile_rule, decide, decide_statement, select
from hostagent.policy.fields import ANY
from hostagent.policy.limits import limits_for
from hostagent.policy.model import Policy
from hostagent.policy.names import Schemas
from hostagent.policy.precedence import Selection
from hostagent.policy.rules import Rule
from hostagent.sql.analysis import Analysis, Statement, Unanalyzed
from hostagent.values.decision import Ruling

_OTHER: dict[Protocol, str] = {"sql": "SSH", "ssh": "SQL"}
_WHY_MISSED = {
    "kinds": "the statement is of none of its kinds",
    "relations": "the statement touches none of its relations",
    "functions": "the statement calls none of its functions",
    "settings": "the statement touches none of its settings",
}
_WHAT_UNCOVERED = {
    "kinds": "does not cover {}",
    "relations": "does not cover the relation {}",
    "functions": "neither lists the function {} nor is it harmless",
    "settings": "does not cover the setting {}",
}


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What one rule says of one statement."""

    rule: str
    effect: str
    matched: bool
    because: str


@dataclass(frozen=True, slots=True)
class StatementAnswer:
    """What the rules say of one statement, all of them in order, and the ruling that comes of it."""

    kinds: tuple[str, ...]
    relations: tuple[str, ...]
    functions: tuple[str, ...]
    settings: tuple[str, ...]
    rules: tuple[RuleAnswer, ...]
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class OperationAnswer:
    """What the rules say of one SSH operation, all of them in order. `commands` are those of an exec."""

    kind: str
    login: str
    commands: tuple[str, ...]
    paths: tuple[str, ...]
    destination: str
    name: str
    unparsed: str
    rules: tuple[RuleAnswer, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one text, or of one SSH operation: its ruling and how it came about.

    No statements when the text could not be analyzed. `limits` name those that count it, which a used-up one denies or
    asks about.
    """

    ruling: Ruling
    statements: tuple[StatementAnswer, ...]
    limits: tuple[str, ...] = ()
    operation: OperationAnswer | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def explain(
    policy: Policy,
    actors: frozenset[str],
    target: str,
    analysis: Analysis | Unanalyzed,
    schemas: Schemas,
    harmless: Harmless,
) -> Explanation:
    """As `decide`, with reasons."""
    ruling = decide(policy, actors, target, analysis, schemas, harmless)
    if isinstance(analysis, Unanalyzed):
        return Explanation(ruling, ())
    rules = select(policy, actors, target)

    def answer(statement: Statement) -> StatementAnswer:
        return StatementAnswer(
            tuple(sorted(kind.value for kind in statement.kinds)),
            tuple(sorted(str(name) for name in statement.reads | statement.writes)),
            tuple(sorted(map(str, statement.functions))),
            tuple(sorted(statement.settings)),
            tuple(_answer(rule, rules, actors, target, statement, schemas, harmless) for rule in policy.rules),
            decide_statement(policy.mode, rules, statement, schemas, harmless),
        )

    limits = [c.limit.name for c in limits_for(policy, actors, target) if c.counts(ruling, schemas)]
    return Explanation(ruling, tuple(map(answer, analysis.statements)), tuple(limits))


def _answer(
    rule: Rule,
    rules: Selection[CompiledRule],
    actors: frozenset[str],
    target: str,
    statement: Statement,
    schemas: Schemas,
    harmless: Harmless,
) -> RuleAnswer:
    if because := elsewhere(rule, actors, target, "sql"):
        return RuleAnswer(rule.name, rule.effect, False, because)
    compiled = (*rules.denies, *rules.approves, *rules.allows, *rules.observes)
    chosen = next((c for c in compiled if c.rule == rule), compile_rule(rule))
    if rule.effect == "approve" and not chosen.missed(statement, schemas):
        return RuleAnswer(rule.name, rule.effect, True, matched(rule))
    because = _miss(chosen, statement, schemas, harmless)
    match = matched(rule) if rule.effect == "deny" else "covers the whole statement"
    return RuleAnswer(rule.name, rule.effect, not because, because or match)


def _miss(rule: CompiledRule, statement: Statement, schemas: Schemas, harmless: Harmless) -> str:
    if rule.rule.effect == "deny":
        return _WHY_MISSED.get(rule.missed(statement, schemas), "")
    condition, value = rule.uncovered(statement, schemas, harmless)
    return _WHAT_UNCOVERED[condition].format(value) if condition else ""


def elsewhere(rule: Rule, actors: frozenset[str], target: str, protocol: Protocol) -> str:
    """Why the rule says nothing of these actors, this target or what is spoken there; empty when it does."""
    if ANY not in rule.actors and actors.isdisjoint(rule.actors):
        return f"is about other actors: {', '.join(rule.actors)}"
    if ANY not in rule.targets and target not in rule.targets:
        return f"is about other targets: {', '.join(rule.targets)}"
    return "" if protocol in rule.conditions.protocols else f"is about {_OTHER[protocol]}"


def matched(rule: Rule) -> str:
    """What is said of a deny or approve that hits."""
    return "hits" if rule.mode is None else f"hits, mode {rule.mode}"
