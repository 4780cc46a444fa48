from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from policy_samples import analysis, harmless, policy_of, statement

from hostagent.errors import FileError
from hostagent.policy.cases import Report, junit, load_cases, run_cases
from hostagent.policy.dialect import Dialect, dialect_of
from hostagent.sql.analysis import Analysis, Name, Unanalyzed

POLICY = policy_of("""
actors:
  - {name: ci, unit: ci.service}
targets:
  - {name: db, protocol: postgres, match: {addresses: 10.0.0.5}}
rules:
  - {name: reads, actors: ci, targets: db, allow: {kinds: select}}
  - {name: no-drop, actors: "*", targets: db, deny: {kinds: drop}}
""")
HEAD = "version: 1\ncases:\n"


def analyze(text: str) -> Analysis:
    """A text is its kinds."""
    return analysis(*(statement(kinds) for kinds in text.split(";")))


def report(directory: Path, *lines: str) -> Report:
    path = directory / "x.cases.yaml"
    path.write_text(HEAD + "".join(f"  - {{name: c, target: db, {line}}}\n" for line in lines))
    return run_cases(POLICY, [load_cases(path, POLICY)], lambda *_: Dialect(analyze, harmless))


def test_cases_pass_by_class_and_by_facts(tmp_path: Path) -> None:
    done = report(
        tmp_path,
        "actors: ci, sql: select, expect: {verdict: allow, rule: reads}",
        "actor: {attributes: {unit: ci.service}}, sql: select, expect: {verdict: allow}",
        "actor: {claims: {unit: ci.service}}, sql: select, expect: {verdict: deny, rule: ''}",
    )
    assert done.failed == () and len(done.results) == 3
    assert done.unused == ("no-drop",)


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("sql: drop, expect: {verdict: allow}", "expected allow, got deny: denied by rule no-drop"),
        ("sql: select, expect: {verdict: deny}", "expected deny, got allow: rule reads"),
        ("sql: drop, expect: {verdict: deny, rule: ''}", "expected rule none, got no-drop: denied by rule no-drop"),
        (
            "sql: insert, expect: {verdict: deny, rule: no-drop}",
            "expected rule no-drop, got none: no rule allows insert",
        ),
    ],
)
def test_failures_say_what_came_out(tmp_path: Path, line: str, failure: str) -> None:
    (failed,) = report(tmp_path, f"actors: ci, {line}").failed
    assert failed.failure == failure
    assert failed.where == f"{tmp_path}/x.cases.yaml:3:5"


def test_junit(tmp_path: Path) -> None:
    one = report(tmp_path, "actors: ci, sql: drop, expect: {verdict: allow}")
    two = report(tmp_path, "actors: ci, sql: drop, expect: {verdict: deny}")
    suite = ElementTree.fromstring(junit([one, two]))
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.find("failure") is not None for case in suite] == [True, False]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("actors: cj, sql: x, expect: {verdict: deny}", "3:35: cases[0].actors[0]: unknown class of actors `cj`"),
        ("actors: ci, sql: x, expect: {verdict: deny, rule: no-drip}", "unknown rule `no-drip`\n  fix: did you mean"),
        ("sql: x, expect: {verdict: deny}", "3:5: cases[0]: exactly one of `actors` and `actor` is needed"),
        ("actors: ci, sql: x, expect: {verdict: denied}", 'unknown word `denied`\n  fix: did you mean "deny"?'),
        ("actors: ci, sqll: x, expect: {verdict: deny}", 'unknown key `sqll`\n  fix: did you mean "sql"?'),
    ],
)
def test_errors_say_where(tmp_path: Path, line: str, error: str) -> None:
    with pytest.raises(FileError) as caught:
        report(tmp_path, line)
    assert error in str(caught.value)


def test_a_text_is_read_as_its_target_reads_it() -> None:
    policy = policy_of(
        "targets:\n"
        "  - {name: pg, protocol: postgres, match: {addresses: 10.0.0.5}}\n"
        "  - {name: my, protocol: mysql, match: {addresses: 10.0.0.6}}\n"
        "rules:\n"
        "  - {name: all, actors: '*', targets: '*', allow: {kinds: read}}\n"
    )
    text = "SELECT `id` FROM `t`"
    assert isinstance(dialect_of(policy, "my", ("app",)).analyze(text), Analysis)
    assert isinstance(dialect_of(policy, "pg", ("app",)).analyze(text), Unanalyzed)
    assert dialect_of(policy, "my", None).harmless(Name("", "ifnull"))
    assert not dialect_of(policy, "pg", None).harmless(Name("", "ifnull"))
