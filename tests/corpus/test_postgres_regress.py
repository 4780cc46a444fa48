"""The statements of PostgreSQL's own regression suite.

Each is analyzed or cannot be parsed, and none is said to do less than its tree shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from postgast import PgQueryError, parse

from hostagent.sql.analysis import Analysis, Unanalyzed
from hostagent.sql.postgres import analyze
from tests.corpus import oracle, psql_split


@dataclass
class Outcome:
    files: int = 0
    texts: int = 0
    statements: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    parsable: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def parses(text: str) -> bool:
    try:
        parse(text)
    except (PgQueryError, UnicodeEncodeError):
        return False
    return True


@pytest.fixture(scope="module")
def outcome(regress: Path) -> Outcome:
    found = Outcome()
    for path in sorted(regress.glob("*.sql")):
        found.files += 1
        for text in psql_split.statements(path.read_text(encoding="utf-8", errors="surrogateescape")):
            found.texts += 1
            result = analyze(text)
            if isinstance(result, Unanalyzed):
                found.reasons[result.reason.partition(" at character")[0]] += 1
                if parses(text):
                    found.parsable.append(f"{path.name}: {result.reason}: {text[:200]}")
                continue
            assert isinstance(result, Analysis)
            found.statements += len(result.statements)
            found.kinds.update(kind for s in result.statements for kind in s.kinds)
            found.complaints += [f"{path.name}: {c}: {text[:200]}" for c in oracle.complaints(text, result.statements)]
    return found


def test_the_suite_is_there(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{outcome.files} files, {outcome.texts} texts, {outcome.statements} statements analyzed")
        for reason, count in outcome.reasons.most_common():
            print(f"{count:8} not analyzed: {reason}")
        for kind, count in outcome.kinds.most_common():
            print(f"{count:8} {kind}")
    assert outcome.files >= 200
    assert outcome.statements > 40_000


def test_what_the_parser_accepts_is_analyzed(outcome: Outcome) -> None:
    assert outcome.parsable == []


def test_no_statement_is_said_to_do_less_than_its_tree_shows(outcome: Outcome) -> None:
    assert outcome.complaints == []


def test_most_of_the_suite_is_analyzed(outcome: Outcome) -> None:
    assert sum(outcome.reasons.values()) < outcome.texts * 0.01
