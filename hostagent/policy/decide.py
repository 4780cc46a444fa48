"""(actor classes, target, analysis) → Ruling. The one place that says which statements are let through.

Rules: one allow (or approve, or observe) rule must cover the whole statement: all its kinds, relations, functions and
settings. A text is worth its worst statement. A text that could not be analyzed is denied in every mode. In which order
rules answer, `precedence` says; which SSH operations are let through, `ssh`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hostagent.policy import glob
from hostagent.policy.conditions import Protocol
from hostagent.policy.fields import ANY, Mode
from hostagent.policy.groups import DANGEROUS_SETTINGS, EVERY_SETTING, HARMLESS_SETTINGS, KIND_WORDS
from hostagent.policy.model import Policy
from hostagent.policy.names import NamePatterns, Schemas
from hostagent.policy.precedence import Question, Selection, ruling_on
from hostagent.policy.rules import Rule
from hostagent.sql.analysis import Analysis, Kind, Name, Statement, Unanalyzed
from hostagent.values.decision import Ruling, Verdict

MAX_SELECTIONS = 1024  # remembered pairs of (actor classes, target); a host has a few dozen

Harmless = Callable[[Name], bool]

PREPARED = "a statement that a human must approve cannot be prepared in SQL: every run of it is asked about"

_SEVERITY = {Verdict.ALLOW: 0, Verdict.OBSERVE: 1, Verdict.APPROVE: 2, Verdict.DENY: 3}


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its conditions ready to be asked. None: no such condition."""

    rule: Rule
    kinds: frozenset[Kind] | None
    relations: NamePatterns | None
    functions: NamePatterns | None
    settings: tuple[glob.Matches, ...] | None

    def uncovered(self, statement: Statement, schemas: Schemas, harmless: Harmless) -> tuple[str, str]:
        """The first thing that the rule as an allow does not cover: (condition, value), or ("", "")."""
        if self.kinds is None or not statement.kinds <= self.kinds:
            return "kinds", min(statement.kinds - (self.kinds or frozenset())).value
        if (covering := self.relations) is not None:
            names = [n for n in (*statement.reads, *statement.writes) if not covering.cover_relation(n, schemas)]
            if names:
                return "relations", str(min(names))
        if names := [n for n in statement.functions if not self._covers_function(n, schemas, harmless)]:
            return "functions", str(min(names))
        if settings := [s for s in _named_settings(statement) if not self._covers_setting(s)]:
            return "settings", min(settings)
        return "", ""

    def missed(self, statement: Statement, schemas: Schemas) -> str:
        """The first condition of the rule as a deny that nothing in the statement meets, or nothing when it hits."""
        if self.kinds is not None and self.kinds.isdisjoint(statement.kinds):
            return "kinds"
        if self.relations is not None and not _hits(self.relations, statement.reads | statement.writes, schemas):
            return "relations"
        if self.functions is not None and not _hits(self.functions, statement.functions, schemas):
            return "functions"
        if self.settings is not None and not any(map(self._hits_setting, statement.settings)):
            return "settings"
        return ""

    def _covers_function(self, name: Name, schemas: Schemas, harmless: Harmless) -> bool:
        return harmless(name) or (self.functions is not None and self.functions.cover_function(name, schemas))

    def _covers_setting(self, setting: str) -> bool:
        if self.settings is None:
            return setting != EVERY_SETTING and setting not in DANGEROUS_SETTINGS
        return setting in HARMLESS_SETTINGS or any(matches(setting) for matches in self.settings)

    def _hits_setting(self, setting: str) -> bool:
        assert self.settings is not None
        return setting == EVERY_SETTING or any(matches(setting) for matches in self.settings)


@dataclass(frozen=True, slots=True)
class AskedStatement(Question[CompiledRule]):
    """A statement, and where its unqualified names resolve."""

    statement: Statement
    schemas: Schemas
    harmless: Harmless

    def missed(self, rule: CompiledRule) -> str:
        """As `CompiledRule.missed`."""
        return rule.missed(self.statement, self.schemas)

    def uncovered(self, rule: CompiledRule) -> tuple[str, str]:
        """As `CompiledRule.uncovered`."""
        return rule.uncovered(self.statement, self.schemas, self.harmless)

    def unaskable(self) -> str:
        """What is prepared could run unasked."""
        return PREPARED if Kind.PREPARE in self.statement.kinds else ""

    def nothing_allows(self, rules: Selection[CompiledRule]) -> str:
        """Why, in the words of the allow rule that came nearest."""
        order = ("kinds", "relations", "functions", "settings")
        gaps = [self.uncovered(c) for c in (*rules.allows, *rules.approves, *rules.observes)]
        what, value = max(gaps, key=lambda gap: order.index(gap[0]), default=("", ""))
        kinds = ", ".join(sorted(self.statement.kinds))
        return {
            "": f"no rule allows {kinds}: none speaks of this actor and target",
            "kinds": f"no rule allows {kinds}",
            "relations": f"no rule allows {kinds} on {value}",
            "functions": f"no rule allows the function {value}",
            "settings": "no rule allows a setting whose name is not known"
            if value == EVERY_SETTING
            else f"no rule allows the setting {value}",
        }[what]


def decide(
    policy: Policy,
    actors: frozenset[str],
    target: str,
    analysis: Analysis | Unanalyzed,
    schemas: Schemas,
    harmless: Harmless,
) -> Ruling:
    """What policy says of one text. `schemas`: where unqualified names resolve, None when not known any more.

    `harmless` says whether a function may be called without being listed.
    """
    if isinstance(analysis, Unanalyzed):
        return Ruling(Verdict.DENY, "", analysis.reason)
    rules = select(policy, actors, target)
    rulings = [decide_statement(policy.mode, rules, statement, schemas, harmless) for statement in analysis.statements]
    worst = max(rulings, key=_severity)  # the first of those that are equally bad
    if worst.verdict is Verdict.APPROVE:
        asking = dict.fromkeys(name for ruling in rulings for name in ruling.approval.split(",") if name)
        worst = replace(worst, approval=",".join(asking))
    return _of_text(worst, analysis)


def select(policy: Policy, actors: frozenset[str], target: str) -> Selection[CompiledRule]:
    """The rules about SQL that speak of these actors and this target; made once a policy."""
    key = (actors, target)
    selection: Selection[CompiledRule] | None = policy.remembered.get(key)
    if selection is None:
        if len(policy.remembered) >= MAX_SELECTIONS:
            policy.remembered.clear()
        chosen = [compile_rule(rule) for rule in policy.rules if applies(rule, actors, target, "sql")]
        selection = policy.remembered[key] = Selection.of(chosen)
    return selection


def applies(rule: Rule, actors: frozenset[str], target: str, protocol: Protocol) -> bool:
    """Whether a rule speaks of these actors and this target, and of what is spoken there."""
    of_actors = ANY in rule.actors or not actors.isdisjoint(rule.actors)
    return of_actors and (ANY in rule.targets or target in rule.targets) and protocol in rule.conditions.protocols


def decide_statement(
    mode: Mode, rules: Selection[CompiledRule], statement: Statement, schemas: Schemas, harmless: Harmless
) -> Ruling:
    """What the rules say of one statement."""
    return ruling_on(mode, rules, AskedStatement(statement, schemas, harmless))


def _severity(ruling: Ruling) -> tuple[int, int]:
    return _SEVERITY[ruling.verdict], _SEVERITY[ruling.would] if ruling.would is not None else 0


def compile_rule(rule: Rule) -> CompiledRule:
    """The rule, ready to be asked."""
    given = rule.conditions
    return CompiledRule(
        rule,
        frozenset().union(*(KIND_WORDS.get(word, ()) for word in given.kinds)) if given.kinds else None,
        NamePatterns.of(given.relations) if given.relations else None,
        NamePatterns.of(given.functions) if given.functions else None,
        tuple(glob.word(pattern.lower()) for pattern in given.settings) if given.settings else None,
    )


def _named_settings(statement: Statement) -> frozenset[str]:
    """Settings that an allow has to cover. RESET ALL and DISCARD ALL bring back what the session began with: covered by
    the kind. But where set_config is called, `*` is a name that is not known."""
    if any(function.name == "set_config" for function in statement.functions):
        return statement.settings
    return statement.settings - {EVERY_SETTING}


def _hits(patterns: NamePatterns, names: frozenset[Name], schemas: Schemas) -> bool:
    return any(patterns.hit(name, schemas) for name in names)


def _of_text(ruling: Ruling, analysis: Analysis) -> Ruling:
    statements = analysis.statements
    return Ruling(
        verdict=ruling.verdict,
        rule=ruling.rule,
        reason=ruling.reason,
        kinds=tuple(sorted({kind.value for s in statements for kind in s.kinds})),
        relations=tuple(sorted({str(name) for s in statements for name in s.reads | s.writes})),
        text=analysis.recorded_text,
        would=ruling.would,
        settings=tuple(sorted({setting for s in statements for setting in s.settings})),
        approval=ruling.approval,
    )
