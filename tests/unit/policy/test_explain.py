from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from policy_samples import analysis, harmless, policy_of, statement

from hostagent.policy.explain import Explanation, explain
from hostagent.sql.analysis import Unanalyzed
from hostagent.values.decision import Verdict

POLICY = policy_of("""
rules:
  - {name: others, actors: web, targets: "*", allow: {kinds: any}}
  - {name: elsewhere, actors: "*", targets: logs, allow: {kinds: any}}
  - {name: reads, actors: ci, targets: db, allow: {kinds: read, relations: public.*}}
  - {name: writes, actors: ci, targets: db, allow: {kinds: [read, write], relations: public.*}}
  - {name: no-drop, actors: "*", targets: db, deny: {kinds: drop}}
  - {name: no-secret, actors: "*", targets: db, deny: {kinds: any, relations: "*.secret"}}
""")


def why(*asked: str) -> Explanation:
    texts = analysis(*(statement(kind, writes=relation) for kind, relation in (a.split() for a in asked)))
    return explain(POLICY, frozenset({"ci"}), "db", texts, ("public",), harmless)


def test_every_rule_says_why() -> None:
    (one,) = why("insert public.t").statements
    assert [(a.rule, a.matched, a.because) for a in one.rules] == [
        ("others", False, "is about other actors: web"),
        ("elsewhere", False, "is about other targets: logs"),
        ("reads", False, "does not cover insert"),
        ("writes", True, "covers the whole statement"),
        ("no-drop", False, "the statement is of none of its kinds"),
        ("no-secret", False, "the statement touches none of its relations"),
    ]
    assert one.ruling.rule == "writes"


def test_each_statement_has_its_ruling_and_the_text_the_worst() -> None:
    explanation = why("insert public.t", "insert app.secret", "drop t")
    assert [s.ruling.rule for s in explanation.statements] == ["writes", "no-secret", "no-drop"]
    assert (explanation.ruling.verdict, explanation.ruling.rule) == (Verdict.DENY, "no-secret")
    assert json.loads(json.dumps(explanation.to_json()))["ruling"]["verdict"] == "deny"


def test_a_text_that_could_not_be_analyzed_has_no_statements() -> None:
    explanation = explain(POLICY, frozenset(), "db", Unanalyzed("why"), None, harmless)
    assert explanation.statements == () and explanation.ruling.reason == "why"
