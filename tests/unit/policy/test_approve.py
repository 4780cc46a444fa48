"""Approve rules: when a human is asked, that no other rule gets around it, and what is asked of whom."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from policy_samples import analysis, harmless, policy_of, rules, statement

from hostagent.policy.decide import PREPARED, decide
from hostagent.policy.explain import explain
from hostagent.policy.model import Policy
from hostagent.policy.problems import FileErrors
from hostagent.policy.terms import AllTerms, Terms
from hostagent.sql.analysis import Statement
from hostagent.values.decision import Ruling, Verdict

ALL = "all allow {kinds: any, functions: '*', settings: '*'}"
READ = "read allow {kinds: [read, session]}"
WRITES = "writes approve {kinds: write}"
PAY = "pay approve {kinds: write, relations: pay.*}"
INSERT, SELECT = statement("insert", writes="public.t"), statement("select", reads="public.t")
MIXED = statement("insert select", reads="app.y", writes="log.x")


def ask(policy: Policy, *statements: Statement) -> Ruling:
    return decide(policy, frozenset(), "db", analysis(*statements), ("public",), harmless)


@pytest.mark.parametrize(
    ("lines", "mode", "asked", "verdict", "rule", "would"),
    [
        ((WRITES,), "enforce", INSERT, "approve", "writes", None),
        ((WRITES,), "enforce", SELECT, "deny", "", None),
        ((ALL, WRITES), "enforce", INSERT, "approve", "writes", None),
        ((ALL, WRITES), "enforce", SELECT, "allow", "all", None),
        ((WRITES, ALL, "no deny {kinds: insert}"), "enforce", INSERT, "deny", "no", None),
        ((ALL, WRITES, "no deny {kinds: insert}, mode: observe"), "enforce", INSERT, "approve", "writes", "deny"),
        (("watch observe {kinds: any}", WRITES), "enforce", INSERT, "approve", "writes", None),
        ((ALL, WRITES), "observe", INSERT, "observe", "writes", "approve"),
        ((WRITES,), "observe", INSERT, "observe", "writes", "approve"),
        ((WRITES,), "observe", SELECT, "observe", "", "deny"),
        ((ALL, WRITES, "no deny {kinds: insert}"), "observe", INSERT, "observe", "no", "deny"),
        ((ALL, f"{WRITES}, mode: observe"), "enforce", INSERT, "observe", "writes", "approve"),
        ((f"{WRITES}, mode: observe",), "enforce", INSERT, "observe", "writes", "approve"),
        ((ALL, f"{WRITES}, mode: enforce"), "observe", INSERT, "approve", "writes", None),
    ],
)
def test_precedence(
    lines: tuple[str, ...], mode: str, asked: Statement, verdict: str, rule: str, would: str | None
) -> None:
    ruling = ask(rules(*lines, mode=mode), asked)
    assert (ruling.verdict.value, ruling.rule, ruling.would and ruling.would.value) == (verdict, rule, would)
    assert ruling.approval == ("writes" if verdict == "approve" else "")


def test_one_thing_that_hits_is_enough_to_ask_whatever_an_allow_covers() -> None:
    policy = rules(ALL, PAY)
    assert ask(policy, statement("insert select", reads="pay.cards", writes="log.x")).verdict is Verdict.APPROVE
    assert ask(policy, statement("delete", writes="pay.cards")).verdict is Verdict.APPROVE
    assert ask(policy, statement("insert", writes="log.x")).verdict is Verdict.ALLOW
    assert ask(policy, statement("select", reads="pay.cards")).verdict is Verdict.ALLOW


def test_an_unqualified_name_asks_when_it_may_be_the_relation() -> None:
    policy = rules(ALL, PAY)
    delete = analysis(statement("delete", writes="cards"))
    assert decide(policy, frozenset(), "db", delete, ("public", "pay"), harmless).verdict is Verdict.APPROVE
    assert decide(policy, frozenset(), "db", delete, ("public",), harmless).verdict is Verdict.ALLOW
    assert decide(policy, frozenset(), "db", delete, None, harmless).verdict is Verdict.APPROVE


def test_asking_lets_nothing_through_that_no_rule_covers() -> None:
    assert ask(rules("some approve {kinds: insert, relations: log.*}"), MIXED).verdict is Verdict.DENY
    assert ask(rules("some approve {kinds: [insert, select], relations: [log.*, app.*]}"), MIXED).verdict is (
        Verdict.APPROVE
    )
    assert ask(rules("some approve {kinds: insert, relations: log.*}", ALL), MIXED).verdict is Verdict.APPROVE
    two = rules("a approve {kinds: [insert, select], relations: log.*}", "b approve {kinds: select, relations: app.*}")
    assert ask(two, MIXED).verdict is Verdict.DENY  # two rules do not add up


def test_an_approve_that_only_covers_asks_where_no_allow_does() -> None:
    """`SELECT 1` touches none of its relations, so it does not hit; but nothing else lets it through."""
    policy = rules("app approve {kinds: select, relations: app.*}")
    assert ask(policy, statement("select")).approval == "app"
    assert ask(rules("app approve {kinds: select, relations: app.*}", READ), statement("select")).approval == ""


def test_all_rules_that_hit_must_be_content() -> None:
    policy = rules(ALL, WRITES, PAY)
    assert ask(policy, statement("delete", writes="pay.cards")).approval == "writes,pay"
    assert ask(policy, INSERT).approval == "writes"
    text = ask(policy, SELECT, INSERT, statement("delete", writes="pay.cards"))
    assert (text.verdict, text.rule, text.approval) == (Verdict.APPROVE, "writes", "writes,pay")


def test_a_text_with_one_statement_that_asks_is_held_whole() -> None:
    policy = rules(READ, WRITES)
    assert ask(policy, SELECT, INSERT).verdict is Verdict.APPROVE
    assert ask(policy, SELECT, INSERT, statement("drop", writes="t")).verdict is Verdict.DENY


def test_what_is_prepared_in_sql_cannot_be_asked_about_when_it_runs_so_it_is_denied() -> None:
    policy = rules(ALL, WRITES)
    ruling = ask(policy, statement("prepare insert", writes="public.t"))
    assert (ruling.verdict, ruling.reason) == (Verdict.DENY, PREPARED)
    assert ask(policy, statement("prepare select", reads="public.t")).verdict is Verdict.ALLOW


@given(
    st.lists(st.sampled_from([ALL, READ, WRITES, PAY, "w observe {kinds: any}", "x deny {kinds: drop}"]), unique=True),
    st.sampled_from([INSERT, SELECT, MIXED, statement("delete", writes="pay.cards"), statement("drop", writes="t")]),
)
def test_adding_an_approve_rule_never_lets_more_through_unasked(lines: list[str], asked: Statement) -> None:
    order = [Verdict.ALLOW, Verdict.OBSERVE, Verdict.APPROVE, Verdict.DENY]
    without = ask(rules(*(line for line in lines if " approve " not in line)), asked).verdict
    given_ = ask(rules(*lines), asked).verdict
    assert given_ is Verdict.APPROVE or given_ is without
    if given_ is Verdict.APPROVE:
        assert any(" approve " in line for line in lines)
    assert order.index(given_) >= order.index(without) or without is Verdict.DENY


def terms(text: str) -> Terms:
    policy = policy_of(f"rules: [{{name: r, actors: '*', targets: '*', approve: {{kinds: any{text}}}}}]\n")
    found = policy.terms("r")
    assert found is not None
    return found


def test_terms_have_defaults_and_bounds() -> None:
    plain = AllTerms([terms("")])
    assert (plain.minimum, plain.expires, plain.reason_required, plain.grant) == (1, 300, False, 0)
    given_ = AllTerms([terms(", minimum: 2, expires: 10m, reason_required: true, grant: 1h")])
    assert (given_.minimum, given_.expires, given_.reason_required, given_.grant) == (2, 600, True, 3600)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (", minimum: 0", "minimum"),
        (", minimum: 11", "minimum"),
        (", expires: 5s", "between 10s and 24h"),
        (", expires: 2d", "between 10s and 24h"),
        (", expires: soon", "is no span of time"),
        (", grant: 25h", "at most 24h"),
        (", approvers: {}", "`users`, `groups` or `webhook` is needed"),
        (", approvers: {group: dba}", "unknown key `group`"),
        (", approver: dba", "unknown key `approver`"),
    ],
)
def test_bad_terms(text: str, error: str) -> None:
    with pytest.raises(FileErrors, match=error):
        terms(text)


def test_who_may_approve_must_be_named_by_every_rule_that_asks() -> None:
    dba, ann = terms(", approvers: {groups: dba, users: root}"), terms(", approvers: {users: [ann, bob]}, minimum: 2")
    assert dba.admits("zoe", frozenset({"dba"}))
    assert dba.admits("root", frozenset())
    assert not dba.admits("ann", frozenset({"users"}))
    both = AllTerms([dba, ann])
    assert both.admits("ann", frozenset({"dba"}))
    assert not both.admits("zoe", frozenset({"dba"}))
    assert not both.admits("ann", frozenset())
    assert both.minimum == 2


def test_the_webhook_answers_only_where_it_is_named() -> None:
    assert not terms("").admits_claim("ann")
    assert terms("").admits("ann", frozenset())
    named = terms(", approvers: {webhook: ann}")
    assert named.admits_claim("ann")
    assert not named.admits_claim("bob")
    assert not named.admits("ann", frozenset())
    assert terms(", approvers: {webhook: '*'}").admits_claim("bob")


def test_explain_says_that_it_asks() -> None:
    policy = rules(READ, WRITES, "app approve {kinds: select, relations: app.*}")
    found = explain(policy, frozenset(), "db", analysis(INSERT), ("public",), harmless)
    answers = {a.rule: (a.effect, a.matched, a.because) for a in found.statements[0].rules}
    assert answers["writes"] == ("approve", True, "hits")
    assert answers["app"] == ("approve", False, "does not cover insert")
    assert found.ruling.verdict is Verdict.APPROVE
    plain = explain(policy, frozenset(), "db", analysis(statement("select")), ("public",), harmless)
    assert ("app", "approve", True, "covers the whole statement") in [
        (a.rule, a.effect, a.matched, a.because) for a in plain.statements[0].rules
    ]


def test_a_policy_with_approve_rules_and_limits_goes_over_the_wire() -> None:
    policy = policy_of(
        "rules: [{name: r, actors: '*', targets: '*', approve: {kinds: any, approvers: {groups: dba}, expires: 1h}}]\n"
        "limits: [{name: l, actors: '*', targets: '*', what: rows, max: 5, per: hour}]\n"
    )
    again = Policy.from_json(policy.to_json())
    assert (again.version, again.rules, again.limits) == (policy.version, policy.rules, policy.limits)
