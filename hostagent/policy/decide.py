"""(actor classes, target, analysis) → Ruling. The one place that says what is let through.

    an enforced deny hits → DENY · no allow, approve or observe covers it → DENY · an approve asks → APPROVE
    no allow covers it → OBSERVE · an observed deny hits, or an observed approve asks → OBSERVE · else ALLOW

Rules: one allow (or approve, or observe) rule must cover the whole statement: all its kinds, relations, functions and
settings. An approve asks when it hits as a deny does, or when nothing but it covers the statement: so an allow never
lets through what a human was to see. All approves that ask must be content. A text is worth its worst statement. A text
that could not be analyzed is denied in every mode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hostagent.policy import glob
from hostagent.policy.fields import ANY, Mode
from hostagent.policy.groups import DANGEROUS_SETTINGS, EVERY_SETTING, KIND_WORDS
from hostagent.policy.model import Policy
from hostagent.policy.names import NamePatterns, Schemas
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
        return any(matches(setting) for matches in self.settings)

    def _hits_setting(self, setting: str) -> bool:
        assert self.settings is not None
        return setting == EVERY_SETTING or any(matches(setting) for matches in self.settings)


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules for some actor classes and a target, by effect, in the order of the files."""

    denies: tuple[CompiledRule, ...]
    approves: tuple[CompiledRule, ...]
    allows: tuple[CompiledRule, ...]
    observes: tuple[CompiledRule, ...]


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


def select(policy: Policy, actors: frozenset[str], target: str) -> Selection:
    """The rules that speak of these actors and this target; made once a policy."""
    key = (actors, target)
    selection: Selection | None = policy.remembered.get(key)
    if selection is None:
        if len(policy.remembered) >= MAX_SELECTIONS:
            policy.remembered.clear()
        selection = policy.remembered[key] = _select(policy, actors, target)
    return selection


def applies(rule: Rule, actors: frozenset[str], target: str) -> bool:
    """Whether a rule speaks of these actors and this target."""
    of_actors = ANY in rule.actors or not actors.isdisjoint(rule.actors)
    return of_actors and (ANY in rule.targets or target in rule.targets)


def decide_statement(
    mode: Mode, rules: Selection, statement: Statement, schemas: Schemas, harmless: Harmless
) -> Ruling:
    """What the rules say of one statement."""
    hits = [c.rule for c in rules.denies if not c.missed(statement, schemas)]
    for rule in hits:
        if (rule.mode or mode) is Mode.ENFORCE:
            return Ruling(Verdict.DENY, rule.name, rule.reason or f"denied by rule {rule.name}")
    allowed = _first_covering(rules.allows, statement, schemas, harmless)
    asking, covered = _asking(rules.approves, statement, schemas, harmless, alone=allowed is None)
    observed = None if allowed or covered else _first_covering(rules.observes, statement, schemas, harmless)
    if not (allowed or covered or observed) and mode is Mode.ENFORCE:
        return Ruling(Verdict.DENY, "", _nothing_allows(rules, statement, schemas, harmless))
    if enforced := [rule for rule in asking if (rule.mode or mode) is Mode.ENFORCE]:
        return _approve(enforced, statement, Verdict.DENY if hits else None)
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
    return _observe("", _nothing_allows(rules, statement, schemas, harmless))


def _asking(
    approves: tuple[CompiledRule, ...], statement: Statement, schemas: Schemas, harmless: Harmless, *, alone: bool
) -> tuple[list[Rule], bool]:
    """The approve rules that ask a human about the statement, in order, and whether one of them covers all of it.

    `alone`: no allow covers it, so the first approve that does is needed, and asks too.
    """
    if not approves:
        return [], False
    covering = _first_covering(approves, statement, schemas, harmless) if alone else None
    asking = [c.rule for c in approves if c.rule is covering or not c.missed(statement, schemas)]
    return asking, covering is not None


def _approve(asking: list[Rule], statement: Statement, would: Verdict | None) -> Ruling:
    rule = asking[0]
    if Kind.PREPARE in statement.kinds:
        return Ruling(Verdict.DENY, rule.name, PREPARED)
    reason = rule.reason or f"a human must approve it: rule {rule.name}"
    names = ",".join(rule.name for rule in asking)
    return Ruling(Verdict.APPROVE, rule.name, reason, would=would, approval=names)


def _severity(ruling: Ruling) -> tuple[int, int]:
    return _SEVERITY[ruling.verdict], _SEVERITY[ruling.would] if ruling.would is not None else 0


def _select(policy: Policy, actors: frozenset[str], target: str) -> Selection:
    chosen = [compile_rule(rule) for rule in policy.rules if applies(rule, actors, target)]
    by_effect = [tuple(c for c in chosen if c.rule.effect == e) for e in ("deny", "approve", "allow", "observe")]
    return Selection(*by_effect)


def compile_rule(rule: Rule) -> CompiledRule:
    """The rule, ready to be asked."""
    given = rule.conditions
    return CompiledRule(
        rule,
        frozenset().union(*(KIND_WORDS[word] for word in given.kinds)) if given.kinds else None,
        NamePatterns.of(given.relations) if given.relations else None,
        NamePatterns.of(given.functions) if given.functions else None,
        tuple(glob.word(pattern.lower()) for pattern in given.settings) if given.settings else None,
    )


def _first_covering(
    rules: tuple[CompiledRule, ...], statement: Statement, schemas: Schemas, harmless: Harmless
) -> Rule | None:
    return next((c.rule for c in rules if not c.uncovered(statement, schemas, harmless)[0]), None)


def _named_settings(statement: Statement) -> frozenset[str]:
    """Settings that an allow has to cover. RESET ALL and DISCARD ALL bring back what the session began with: covered by
    the kind. But where set_config is called, `*` is a name that is not known."""
    if any(function.name == "set_config" for function in statement.functions):
        return statement.settings
    return statement.settings - {EVERY_SETTING}


def _hits(patterns: NamePatterns, names: frozenset[Name], schemas: Schemas) -> bool:
    return any(patterns.hit(name, schemas) for name in names)


def _observe(rule: str, reason: str, would: Verdict = Verdict.DENY) -> Ruling:
    return Ruling(Verdict.OBSERVE, rule, reason, would=would)


def _nothing_allows(rules: Selection, statement: Statement, schemas: Schemas, harmless: Harmless) -> str:
    """Why, in the words of the allow rule that came nearest."""
    order = ("kinds", "relations", "functions", "settings")
    gaps = [c.uncovered(statement, schemas, harmless) for c in (*rules.allows, *rules.approves, *rules.observes)]
    what, value = max(gaps, key=lambda gap: order.index(gap[0]), default=("", ""))
    kinds = ", ".join(sorted(statement.kinds))
    return {
        "": f"no rule allows {kinds}: none speaks of this actor and target",
        "kinds": f"no rule allows {kinds}",
        "relations": f"no rule allows {kinds} on {value}",
        "functions": f"no rule allows the function {value}",
        "settings": "no rule allows a setting whose name is not known"
        if value == EVERY_SETTING
        else f"no rule allows the setting {value}",
    }[what]


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
