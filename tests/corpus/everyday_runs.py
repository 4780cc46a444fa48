"""Runs the everyday corpus on copies of one database: directly, twice, and another way.

Two direct runs say which answers are the same every time; these must be the same the other way too. Of an answer that
is not (it holds a time, a size, a number just given) its columns, tags, SQLSTATEs and transaction states must.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostagent.sql.masking.values import Mask, MaskKind, Masks
from tests.lab.parity import Answer, Case, Direct, Way, essence, read_corpus, refusal, shape, sqlstates
from tests.lab.postgres import Postgres
from tests.lab.wire import Server

EVERYDAY = Path(__file__).parent / "everyday"
ORIGINS = sorted(path.stem for path in EVERYDAY.glob("*.sql") if path.stem != "schema")
DATABASE = "everyday"
MASKED = ("public.customers.card_number", "public.customers.national_id", "public.staff.ssn", "public.staff.salary")
MASKS = Masks((Mask("personal", MaskKind.REDACT, MASKED, functions=("public.order_count", "public.touched")),))
SECRETS = "SELECT card_number FROM customers UNION SELECT ssn FROM staff UNION SELECT salary::text FROM staff"
LEAST = 300  # statements
MIGHT_BE_REFUSED = 0.02  # of all
MIGHT_FAIL = 0.03


@dataclass
class Outcome:
    """What became of the statements, the other way."""

    asked: int = 0
    failed: int = 0  # directly, with an error
    unstable: int = 0
    refused: list[tuple[Case, str]] = field(default_factory=list)
    lost: list[Case] = field(default_factory=list)  # in a transaction that a refusal ended
    masked: list[Case] = field(default_factory=list)
    different: list[tuple[Case, Answer, Answer]] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.asked} asked, {len(self.refused)} refused, {len(self.lost)} lost with a transaction, "
            f"{len(self.masked)} masked, {len(self.different)} different; directly {self.failed} fail, "
            f"{self.unstable} answer otherwise each time"
        )

    def differences(self) -> list[str]:
        """The statements that were answered otherwise, in words."""
        return [
            f"{case.origin}: {' '.join(case.text.split())[:300]}\n    {_words(expected)}\n    {_words(got)}"
            for case, expected, got in self.different
        ]

    def check(self) -> None:
        """Raises AssertionError where the corpus proves nothing, or tools would find a difference."""
        assert self.asked >= LEAST
        assert self.failed < self.asked * MIGHT_FAIL, "the corpus itself fails on the server"
        assert self.unstable < self.asked * MIGHT_FAIL, "too much of the corpus answers otherwise each time"
        assert not self.different, "\n".join(self.differences())
        assert len(self.refused) + len(self.lost) < self.asked * MIGHT_BE_REFUSED

    def refused_of(self) -> Counter[str]:
        """Refusals by origin."""
        return Counter(case.origin.partition(":")[0] for case, _ in self.refused)


class Everyday:
    """The database, made anew for each run. `server`: how to reach it directly; `direct` another direct way."""

    def __init__(self, postgres: Postgres, user: str, direct: Callable[[], Way] | None = None) -> None:
        self._postgres = postgres
        self._direct = direct or (lambda: Direct(self.server))
        self.server = Server(str(postgres.directory), postgres.port, user, DATABASE)
        postgres.sql("CREATE DATABASE template_everyday")
        postgres.sql((EVERYDAY / "schema.sql").read_text(), "template_everyday")
        self._names = dict(line.split("|") for line in postgres.sql(_NAMES, "template_everyday").splitlines())
        self.secrets = tuple(s.encode() for s in postgres.sql(SECRETS, "template_everyday").splitlines())

    def cases(self, origin: str) -> list[Case]:
        """The statements of one file."""
        return read_corpus(EVERYDAY / f"{origin}.sql", self._names)

    def compare(self, origin: str, way: Callable[[], Way], outcome: Outcome) -> None:
        """Run one file three times."""
        cases = self.cases(origin)
        first, again, other = (self._run(cases, made) for made in (self._direct, self._direct, way))
        for case, expected, twin, got in zip(cases, first, again, other, strict=True):
            outcome.asked += 1
            outcome.failed += bool(sqlstates(expected))
            stable = essence(expected) == essence(twin)
            outcome.unstable += not stable
            if why := refusal(got):
                outcome.refused.append((case, why))
            elif (essence(expected) if stable else shape(expected)) == (essence(got) if stable else shape(got)):
                continue
            elif sqlstates(got) == ["25P02"]:
                outcome.lost.append(case)
            elif self._secret(expected) and not self._secret(got):
                outcome.masked.append(case)
            else:
                outcome.different.append((case, expected, got))

    def run_all(self, way: Callable[[], Way]) -> Outcome:
        """Run all files; prints what was refused."""
        outcome = Outcome()
        for origin in ORIGINS:
            self.compare(origin, way, outcome)
        print(f"\n{outcome}")
        for origin, count in outcome.refused_of().items():
            print(f"{origin:>20}: {count} of {len(self.cases(origin))} refused")
        for case, why in outcome.refused:
            print(f"    {case.origin}: {why}: {' '.join(case.text.split())[:100]}")
        return outcome

    def _secret(self, answer: Answer) -> bool:
        return any(secret in m.body for m in answer for secret in self.secrets)

    def _run(self, cases: list[Case], made: Callable[[], Way]) -> list[Answer]:
        self._postgres.sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        self._postgres.sql(f"CREATE DATABASE {DATABASE} TEMPLATE template_everyday")
        way = made()
        try:
            return [way.ask(case) for case in cases]
        finally:
            way.close()


def _words(answer: Answer) -> str:
    said = [f"{m.kind} {m.body[:100]!r}" for m in answer if m.kind not in "S12tnZ"]
    return f"{', '.join(said[:3])} ({len(said)} messages)"


_NAMES = """
SELECT format('%I.%I', n.nspname, c.relname), c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND n.nspname !~ '^pg_' UNION ALL
SELECT 'type ' || format_type(t.oid, NULL), t.oid FROM pg_type t WHERE t.oid >= 16384 AND t.typrelid = 0
"""


def in_policy(masks: Masks) -> list[dict[str, Any]]:
    """Masks as a policy file says them."""
    return [
        {
            "name": mask.name, "targets": "orders", "columns": list(mask.columns), "functions": list(mask.functions),
            **({"partial": {"first": mask.first, "last": mask.last}} if mask.kind is MaskKind.PARTIAL
               else {"mask": mask.kind.value}),
        }
        for mask in masks.entries
    ]  # fmt: skip
