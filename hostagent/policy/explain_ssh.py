"""Why an SSH operation is decided as it is: every rule, with what it matched or missed."""

from __future__ import annotations

from hostagent.policy.explain import Explanation, OperationAnswer, RuleAnswer, elsewhere, matched
from hostagent.policy.limits import limits_for
from hostagent.policy.model import Policy
from hostagent.policy.rules import Rule
from hostagent.policy.ssh import AskedOperation, SshRule, decide_operation, own_login
from hostagent.ssh.operation import Operation

_WHY_MISSED = {
    "kinds": "it is of none of its kinds",
    "logins": "it is for other logins",
    "commands": "none of its patterns matches a command",
    "redirections": "none of its patterns matches a redirection",
    "unparsed": "its meaning is known",
    "paths": "none of its patterns matches a path",
    "destinations": "none of its patterns matches the destination",
}
_WHAT_UNCOVERED = {
    "kinds": "does not cover {}",
    "logins": "is not for the login {}",
    "commands": "does not cover the command {}",
    "redirections": "does not cover the redirection of {}",
    "unparsed": "does not say `unparsed`: {}",
    "paths": "does not cover {}",
    "destinations": "does not cover {}",
}
_NAMED = "none of its patterns matches the name"


def explain_operation(policy: Policy, actors: frozenset[str], target: str, operation: Operation) -> Explanation:
    """As `decide_operation`, with reasons."""
    ruling = decide_operation(policy, actors, target, operation)
    asked, own = AskedOperation(operation), own_login(policy, target)
    answers = tuple(_answer(rule, actors, target, asked, own) for rule in policy.rules)
    limits = tuple(c.limit.name for c in limits_for(policy, actors, target) if c.counts(ruling, None))
    answer = OperationAnswer(
        operation.kind.value,
        operation.login,
        tuple(" ".join(argv) for argv in operation.words),
        operation.paths,
        operation.destination,
        operation.name,
        operation.unparsed,
        answers,
    )
    return Explanation(ruling, (), limits, answer)


def _answer(rule: Rule, actors: frozenset[str], target: str, asked: AskedOperation, own: str) -> RuleAnswer:
    if because := elsewhere(rule, actors, target, "ssh"):
        return RuleAnswer(rule.name, rule.effect, False, because)
    compiled = SshRule.of(rule, own)
    if rule.effect in ("deny", "approve"):
        missed = asked.missed(compiled)
        if not missed:
            return RuleAnswer(rule.name, rule.effect, True, matched(rule))
        if rule.effect == "deny":
            return RuleAnswer(rule.name, rule.effect, False, _WHY_MISSED.get(missed, _NAMED))
    condition, value = asked.uncovered(compiled)
    because = _WHAT_UNCOVERED.get(condition, "does not cover the name {}").format(value) if condition else ""
    return RuleAnswer(rule.name, rule.effect, not because, because or "covers all of it")
