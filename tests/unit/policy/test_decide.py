from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from policy_samples import analysis, harmless, policy_of, rules, statement

from hostagent.policy.decide import decide
from hostagent.policy.groups import DANGEROUS_SETTINGS, GROUPS, HARMLESS_SETTINGS
from hostagent.policy.model import Policy, PolicyFile
from hostagent.policy.names import Schemas
from hostagent.sql.analysis import Analysis, Kind, Name, Statement, Unanalyzed
from hostagent.values.decision import Ruling, Verdict


def ask(policy: Policy, *statements: Statement, schemas: Schemas = ("public",), actors: str = "") -> Ruling:
    return decide(policy, frozenset(actors.split()), "db", analysis(*statements), schemas, harmless)


READ = "read allow {kinds: read}"
ALL = "all allow {kinds: any, functions: '*', settings: '*'}"
WATCH = "watch observe {kinds: any}"
SELECT, DROP = statement("select", reads="public.t"), statement("drop", writes="public.t")


@pytest.mark.parametrize(
    ("lines", "mode", "asked", "verdict", "rule"),
    [
        ((), "enforce", SELECT, "deny", ""),
        ((), "observe", SELECT, "observe", ""),
        ((READ,), "enforce", SELECT, "allow", "read"),
        ((READ,), "enforce", DROP, "deny", ""),
        ((READ,), "observe", DROP, "observe", ""),
        ((ALL, "no deny {kinds: drop}"), "enforce", DROP, "deny", "no"),
        (("no deny {kinds: drop}", ALL), "enforce", DROP, "deny", "no"),
        ((ALL, "no deny {kinds: drop}"), "enforce", SELECT, "allow", "all"),
        ((ALL, "no deny {kinds: drop}"), "observe", DROP, "observe", "no"),
        ((ALL, "no deny {kinds: drop}, mode: observe"), "enforce", DROP, "observe", "no"),
        ((READ, "no deny {kinds: drop}, mode: observe"), "enforce", DROP, "deny", ""),
        ((ALL, "no deny {kinds: drop}, mode: enforce"), "observe", DROP, "deny", "no"),
        ((ALL, "a deny {kinds: drop}, mode: observe", "b deny {kinds: ddl}"), "enforce", DROP, "deny", "b"),
        ((WATCH,), "enforce", SELECT, "observe", "watch"),
        ((WATCH, READ), "enforce", SELECT, "allow", "read"),
        ((WATCH, READ), "enforce", DROP, "observe", "watch"),
        ((WATCH, "no deny {kinds: drop}"), "enforce", DROP, "deny", "no"),
    ],
)
def test_precedence(lines: tuple[str, ...], mode: str, asked: Statement, verdict: str, rule: str) -> None:
    ruling = ask(rules(*lines, mode=mode), asked)
    assert (ruling.verdict.value, ruling.rule) == (verdict, rule)
    assert ruling.would is (Verdict.DENY if ruling.verdict is Verdict.OBSERVE else None)


def test_what_cannot_be_analyzed_is_denied_in_every_mode() -> None:
    for mode in ("enforce", "observe"):
        ruling = decide(rules(ALL, mode=mode), frozenset(), "db", Unanalyzed("it cannot be parsed"), None, harmless)
        assert ruling == Ruling(Verdict.DENY, "", "it cannot be parsed")


def test_a_text_is_worth_its_worst_statement() -> None:
    policy = rules(READ, "watch observe {kinds: update}")
    update = statement("update", writes="public.u")
    assert ask(policy, SELECT, SELECT).verdict is Verdict.ALLOW
    assert ask(policy, SELECT, update).verdict is Verdict.OBSERVE
    assert ask(policy, update, DROP, SELECT).verdict is Verdict.DENY


def test_a_ruling_carries_what_the_text_does() -> None:
    text = Analysis((SELECT, statement("set", settings="work_mem")), "recorded")
    ruling = decide(rules(ALL), frozenset(), "db", text, None, harmless)
    assert ruling == Ruling(
        Verdict.ALLOW, "all", "", ("select", "set"), ("public.t",), text="recorded", settings=("work_mem",)
    )


@pytest.mark.parametrize(
    ("kinds", "covered"),
    [("select", True), ("explain select", True), ("explain select insert", False), ("insert", False)],
)
def test_an_allow_covers_all_kinds(kinds: str, covered: bool) -> None:
    assert (ask(rules(READ), statement(kinds)).verdict is Verdict.ALLOW) is covered


def test_two_allows_do_not_cover_a_statement_together() -> None:
    policy = rules("r allow {kinds: select, relations: a.*}", "w allow {kinds: insert, relations: b.*}")
    assert ask(policy, statement("select", reads="a.x")).verdict is Verdict.ALLOW
    assert ask(policy, statement("insert", writes="b.x")).verdict is Verdict.ALLOW
    assert ask(policy, statement("insert select", reads="a.x", writes="b.x")).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("condition", "asked", "hit"),
    [
        ("{relations: app.secret}", statement("select", reads="app.secret app.other"), True),
        ("{relations: app.secret}", statement("select", reads="app.other"), False),
        ("{kinds: write, relations: app.*}", statement("insert select", reads="app.a", writes="log.b"), True),
        ("{kinds: write, relations: app.*}", statement("select", reads="app.a"), False),
        ("{functions: '*.dblink*'}", statement("select", functions="lower public.dblink_exec"), True),
        ("{functions: '*.dblink*'}", statement("select", functions="lower"), False),
        ("{settings: [search_path]}", statement("set", settings="search_path"), True),
        ("{settings: [search_path]}", statement("set", settings="*"), True),
        ("{settings: [search_path]}", statement("set", settings="work_mem"), False),
        ("{settings: [SEARCH_PATH]}", statement("set", settings="search_path"), True),
    ],
)
def test_a_deny_hits_by_one_thing_in_each_given_list(condition: str, asked: Statement, hit: bool) -> None:
    assert (ask(rules(ALL, f"no deny {condition}"), asked).verdict is Verdict.DENY) is hit


@pytest.mark.parametrize(
    ("condition", "functions", "covered"),
    [
        ("{kinds: select}", "lower count", True),
        ("{kinds: select}", "app.f", False),
        ("{kinds: select}", "pg_read_file", False),
        ("{kinds: select, functions: [app.*]}", "app.f lower", True),
        ("{kinds: select, functions: [app.*]}", "app.f pg_read_file", False),
        ("{kinds: select, functions: [app.*]}", "f", False),
        ("{kinds: select, functions: ['*.f']}", "f", True),
        ("{kinds: select, functions: '*'}", "anything.at_all f oid:42", True),
        ("{kinds: select, functions: ['public.*', 'pg_catalog.*']}", "oid:42", False),
    ],
)
def test_functions_that_an_allow_covers(condition: str, functions: str, covered: bool) -> None:
    ruling = ask(rules(f"r allow {condition}"), statement("select", functions=functions))
    assert (ruling.verdict is Verdict.ALLOW) is covered


@pytest.mark.parametrize(
    ("condition", "asked", "covered"),
    [
        ("{kinds: any}", statement("set", settings="search_path"), True),
        ("{kinds: any}", statement("set", settings="*"), True),
        ("{kinds: any}", statement("set", settings="role"), False),
        ("{kinds: any}", statement("set", settings="standard_conforming_strings"), False),
        ("{kinds: any, settings: [role]}", statement("set", settings="role"), True),
        ("{kinds: any, settings: [role]}", statement("set", settings="work_mem"), False),
        ("{kinds: any, settings: [role]}", statement("set", settings="*"), True),
        ("{kinds: any, functions: '*'}", statement("select", functions="set_config", settings="work_mem"), True),
        ("{kinds: any, functions: '*'}", statement("select", functions="set_config", settings="role"), False),
        ("{kinds: any, functions: '*'}", statement("select", functions="set_config", settings="*"), False),
        (
            "{kinds: any, functions: '*', settings: '*'}",
            statement("select", functions="set_config", settings="*"),
            True,
        ),
    ],
)
def test_settings_that_an_allow_covers(condition: str, asked: Statement, covered: bool) -> None:
    assert (ask(rules(f"r allow {condition}"), asked).verdict is Verdict.ALLOW) is covered


@pytest.mark.parametrize(
    ("lines", "asked", "reason"),
    [
        ((), SELECT, "no rule allows select: none speaks of this actor and target"),
        ((READ,), DROP, "no rule allows drop"),
        (("r allow {kinds: read, relations: a.*}",), SELECT, "no rule allows select on public.t"),
        ((READ,), statement("select", functions="a.f"), "no rule allows the function a.f"),
        (("s allow {kinds: set}",), statement("set", settings="role"), "no rule allows the setting role"),
        (("no deny {kinds: drop}",), DROP, "denied by rule no"),
        (("no deny {kinds: drop}, reason: Ask Ann.",), DROP, "Ask Ann."),
    ],
)
def test_reasons(lines: tuple[str, ...], asked: Statement, reason: str) -> None:
    assert ask(rules(*lines), asked).reason == reason


def test_rules_for_other_actors_and_targets_do_not_count() -> None:
    policy = policy_of(
        "rules:\n"
        "  - {name: a, actors: [ci, cd], targets: db, allow: {kinds: select}}\n"
        "  - {name: b, actors: '*', targets: other, allow: {kinds: any}}\n"
    )
    assert ask(policy, SELECT, actors="cd").rule == "a"
    assert ask(policy, SELECT, actors="web").verdict is Verdict.DENY
    assert ask(policy, DROP, actors="ci").verdict is Verdict.DENY


def test_every_kind_is_in_exactly_one_group() -> None:
    assert sorted(kind for group in GROUPS.values() for kind in group) == sorted(Kind)


def test_who_one_is_and_how_text_is_read_are_dangerous_settings() -> None:
    assert {"role", "session_authorization", "standard_conforming_strings", "client_encoding"} <= DANGEROUS_SETTINGS
    assert {"sql_mode", "names", "character_set_client", "sql_log_bin"} <= DANGEROUS_SETTINGS
    assert "search_path" not in DANGEROUS_SETTINGS
    assert HARMLESS_SETTINGS.isdisjoint(DANGEROUS_SETTINGS)


NAMES = st.builds(
    Name, st.sampled_from(["", "a", "b", "pg_catalog"]), st.sampled_from(["x", "y", "pg_x", "*", "lower"])
)
STATEMENTS = st.builds(
    Statement,
    st.frozensets(st.sampled_from(list(Kind)), min_size=1, max_size=3),
    st.frozensets(NAMES, max_size=2),
    st.frozensets(NAMES, max_size=2),
    functions=st.frozensets(NAMES, max_size=2),
    settings=st.frozensets(st.sampled_from(["role", "work_mem", "*"]), max_size=1),
)
GLOBS = st.lists(st.sampled_from(["a.*", "*.x", "b.y", "*", "pg_catalog.*"]), min_size=1, max_size=2)
WORDS = st.lists(st.sampled_from(["any", "read", "write", "ddl", "session", "select", "drop"]), min_size=1, max_size=3)
CONDITIONS = st.fixed_dictionaries(
    {"kinds": WORDS}, optional={"relations": GLOBS, "functions": GLOBS, "settings": st.just(["*"])}
)
Made = list[tuple[str, dict[str, list[str]]]]
LINES = st.lists(st.tuples(st.sampled_from(["allow", "deny", "observe"]), CONDITIONS), max_size=4)


def made(lines: Made) -> Policy:
    entries = [
        {"name": f"r{i}", "actors": ["*"], "targets": ["*"], effect: given} for i, (effect, given) in enumerate(lines)
    ]
    return Policy.of(PolicyFile.model_validate_json(json.dumps({"version": 1, "rules": entries})))


SCHEMAS = st.sampled_from([None, (), ("a",), ("a", "b"), ("pg_temp_3", "a")])
RANK = {Verdict.ALLOW: 0, Verdict.OBSERVE: 1, Verdict.DENY: 2}


@given(LINES, CONDITIONS, STATEMENTS, SCHEMAS)
def test_a_deny_rule_more_never_allows_more(
    lines: Made, deny: dict[str, list[str]], asked: Statement, schemas: Schemas
) -> None:
    before = ask(made(lines), asked, schemas=schemas)
    after = ask(made([*lines, ("deny", deny)]), asked, schemas=schemas)
    assert RANK[after.verdict] >= RANK[before.verdict]


@given(st.lists(CONDITIONS, max_size=3), STATEMENTS, SCHEMAS)
def test_without_an_allow_everything_is_denied(
    denies: list[dict[str, list[str]]], asked: Statement, schemas: Schemas
) -> None:
    policy = made([("deny", given) for given in denies])
    assert ask(policy, asked, schemas=schemas).verdict is Verdict.DENY


@given(LINES, st.lists(STATEMENTS, min_size=1, max_size=4), SCHEMAS)
def test_the_worst_of_many(lines: Made, asked: list[Statement], schemas: Schemas) -> None:
    policy = made(lines)
    alone = [ask(policy, one, schemas=schemas) for one in asked]
    together = ask(policy, *asked, schemas=schemas)
    assert RANK[together.verdict] == max(RANK[one.verdict] for one in alone)
    assert together == ask(made(lines), *asked, schemas=schemas)


@given(LINES, STATEMENTS)
def test_knowing_no_schemas_never_allows_more(lines: Made, asked: Statement) -> None:
    policy = made(lines)
    known = ask(policy, asked, schemas=("a", "b"))
    assert RANK[ask(policy, asked, schemas=None).verdict] >= RANK[known.verdict]
