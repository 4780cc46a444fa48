"""Limits: what they count, whom they count as one, and what a used-up one does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from policy_samples import actor, analysis, harmless, policy_of, statement

from hostagent.policy.explain import explain
from hostagent.policy.fields import Mode
from hostagent.policy.limits import Hit, counted_as, exceeded, limits_for
from hostagent.policy.load import load_policy
from hostagent.policy.model import Limit
from hostagent.policy.problems import FileErrors
from hostagent.policy.span import seconds, words
from hostagent.values.actor import Grade
from hostagent.values.decision import Ruling, Verdict

NOW = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


def limit(rest: str) -> Limit:
    return policy_of(f"limits: [{{name: l, actors: '*', targets: '*', {rest}}}]\n").limits[0]


def ruling(kinds: str, relations: str = "") -> Ruling:
    return Ruling(Verdict.ALLOW, "r", "", tuple(kinds.split()), tuple(relations.split()))


@pytest.mark.parametrize(
    ("conditions", "text", "schemas", "counts"),
    [
        ("", ruling("select"), None, True),
        (", kinds: read", ruling("select"), None, True),
        (", kinds: read", ruling("insert"), None, False),
        (", relations: app.customers", ruling("select", "app.customers log.x"), (), True),
        (", relations: app.customers", ruling("select", "log.customers"), (), False),
        (", relations: app.customers", ruling("select", "customers"), ("public", "app"), True),
        (", relations: app.customers", ruling("select", "customers"), ("public",), False),
        (", relations: app.customers", ruling("select", "customers"), None, True),
        (", relations: '*.b'", ruling("select", "x.a.b"), (), True),
        (", kinds: write, relations: app.*", ruling("select", "app.customers"), (), False),
    ],
)
def test_what_is_counted(conditions: str, text: Ruling, schemas: tuple[str, ...] | None, counts: bool) -> None:
    policy = policy_of(f"limits: [{{name: l, actors: '*', targets: '*', what: rows, max: 5, per: hour{conditions}}}]\n")
    (found,) = limits_for(policy, frozenset(), "db")
    assert found.counts(text, schemas) is counts


def test_limits_speak_of_actors_and_targets() -> None:
    policy = policy_of(
        "actors: [{name: a, uid: 1}]\nlimits:\n"
        "  - {name: one, actors: a, targets: '*', what: rows, max: 5, per: hour}\n"
        "  - {name: two, actors: '*', targets: db, what: rows, max: 5, per: hour}\n"
    )
    assert [c.limit.name for c in limits_for(policy, frozenset({"a"}), "db")] == ["one", "two"]
    assert [c.limit.name for c in limits_for(policy, frozenset(), "other")] == []
    assert limits_for(policy, frozenset({"a"}), "db") is limits_for(policy, frozenset({"a"}), "db")


def test_whom_it_counts_as_one() -> None:
    hourly, run, together = (limit(f"what: rows, max: 1, {x}") for x in ("per: hour", "per: run", "per: 1h, by: class"))
    service = actor("/system.slice/x.service/job1", unit="x.service")
    assert counted_as(hourly, service) == "x.service"
    assert counted_as(run, service) == "/system.slice/x.service/job1"
    assert counted_as(together, service) == ""
    assert counted_as(hourly, actor("/a/b")) == "/a/b"
    assert counted_as(hourly, actor("/a/b", unit=("forged.service", Grade.CLAIMED))) == "/a/b"


def test_a_hit_names_the_limit_and_when_it_starts_anew() -> None:
    hit = Hit(limit("what: rows, max: 500, per: hour"), NOW + 725)
    assert hit.reason(NOW) == (
        "limit l is used up: 500 rows an hour; it starts anew at 2026-01-01 00:12:05 UTC, in 12 min 5 s"
    )
    assert Hit(limit("what: errors, max: 3, per: 90s"), NOW + 1).reason(NOW) == (
        "limit l is used up: 3 errors in 90s; it starts anew at 2026-01-01 00:00:01 UTC, in 1 s"
    )
    assert Hit(limit("what: statements, max: 3, per: run"), None).reason(NOW) == (
        "limit l is used up: 3 statements a run; it starts anew with the next run"
    )


def test_what_a_used_up_limit_does() -> None:
    text = ruling("select")
    deny = exceeded(Mode.ENFORCE, text, Hit(limit("what: rows, max: 5, per: hour"), NOW), NOW)
    assert (deny.verdict, deny.rule, deny.kinds) == (Verdict.DENY, "l", ("select",))
    watched = exceeded(Mode.OBSERVE, text, Hit(limit("what: rows, max: 5, per: hour"), NOW), NOW)
    assert (watched.verdict, watched.would) == (Verdict.OBSERVE, Verdict.DENY)
    asking = Hit(limit("what: rows, max: 5, per: hour, then: approve"), NOW)
    held = exceeded(Mode.ENFORCE, text, asking, NOW)
    assert (held.verdict, held.approval) == (Verdict.APPROVE, "l")
    both = exceeded(Mode.ENFORCE, Ruling(Verdict.APPROVE, "r", "", approval="r"), asking, NOW)
    assert both.approval == "r,l"


@pytest.mark.parametrize(
    ("rest", "error"),
    [
        ("what: rows, max: -1, per: hour", "max"),
        ("what: pages, max: 1, per: hour", "unknown word `pages`"),
        ("what: rows, max: 1, per: fortnight", "is no span of time"),
        ("what: rows, max: 1, per: 31d", "at most 30d"),
        ("what: rows, max: 1, per: hour, terms: {minimum: 2}", "`terms` goes with `then: approve`"),
        ("what: rows, max: 1, per: run, by: class", "does not go with `by: class`"),
        ("what: rows, max: 1, per: hour, relations: customers", "has no schema"),
    ],
)
def test_bad_limits(rest: str, error: str) -> None:
    with pytest.raises(FileErrors, match=error):
        limit(rest)


def test_names_of_limits_and_rules_are_apart_and_their_actors_exist(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "version: 1\nrules: [{name: one, actors: '*', targets: '*', allow: {kinds: any}}]\n"
        "limits:\n  - {name: one, actors: nobody, targets: nowhere, what: rows, max: 1, per: hour}\n"
    )
    with pytest.raises(FileErrors) as caught:
        load_policy(tmp_path)
    assert [error.what for error in caught.value.errors] == [
        f"limits[0].name: `one` is taken, see {tmp_path}/p.yaml:2:16",
        "limits[0].actors[0]: unknown class of actors `nobody`",
        "limits[0].targets[0]: unknown target `nowhere`",
    ]


def test_explain_names_the_limits_that_count_a_text() -> None:
    policy = policy_of(
        "rules: [{name: r, actors: '*', targets: '*', allow: {kinds: any}}]\nlimits:\n"
        "  - {name: a, actors: '*', targets: '*', kinds: select, what: rows, max: 1, per: hour}\n"
        "  - {name: b, actors: '*', targets: '*', kinds: insert, what: rows, max: 1, per: hour}\n"
    )
    found = explain(policy, frozenset(), "db", analysis(statement("select")), ("public",), harmless)
    assert (found.ruling.verdict, found.limits) == (Verdict.ALLOW, ("a",))


def test_terms_of_a_limit() -> None:
    policy = policy_of(
        "limits:\n"
        "  - {name: a, actors: '*', targets: '*', what: rows, max: 1, per: hour, then: approve, terms: {minimum: 2}}\n"
        "  - {name: b, actors: '*', targets: '*', what: rows, max: 1, per: hour, then: approve}\n"
    )
    first, second = policy.terms("a"), policy.terms("b")
    assert first is not None
    assert second is not None
    assert (first.minimum, second.minimum, policy.terms("c")) == (2, 1, None)


def test_spans() -> None:
    assert [seconds(text) for text in ("90s", "15m", "1h", "7d", "minute", "hour", "day")] == [
        90, 900, 3600, 604_800, 60, 3600, 86_400,
    ]  # fmt: skip
    for text in ("", "0s", "1", "s", "-1s", "1h30m", "1 h", "1234567s"):
        with pytest.raises(ValueError, match="no span"):
            seconds(text)
    assert [words(x) for x in (0.2, 60, 61, 3600, 3725, 90_061)] == [
        "1 s", "1 min", "1 min 1 s", "1 h", "1 h 2 min", "1 d 1 h",
    ]  # fmt: skip
