"""The policies that are shipped load, their cases pass, each of their rules has a case, and the schemas are current."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from hostagent.policy.cases import load_cases, run_cases
from hostagent.policy.load import load_policy
from hostagent.policy.schema import cases_schema, policy_schema, schema_text

SHIPPED = Path(__file__).parents[3] / "policies"
POLICIES = [SHIPPED / "default.yaml", *sorted((SHIPPED / "library").glob("*.yaml"))]
CASES = sorted((SHIPPED / "cases").glob("*.cases.yaml"))


def name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", POLICIES, ids=name)
def test_policies_load_and_fit_the_schema(path: Path) -> None:
    load_policy(path)
    jsonschema.validate(YAML(typ="safe", pure=True).load(path), policy_schema())


@pytest.mark.parametrize("path", [p for p in POLICIES if p.parent.name == "library"], ids=name)
def test_every_library_policy_has_cases_that_pass_and_reach_every_rule(path: Path) -> None:
    cases = SHIPPED / "cases" / f"{path.stem}.cases.yaml"
    policy = load_policy(path)
    report = run_cases(policy, [load_cases(cases, policy)])
    assert [(r.where, r.failure) for r in report.failed] == []
    assert report.unused == ()


@pytest.mark.parametrize("path", CASES, ids=name)
def test_cases_fit_the_schema(path: Path) -> None:
    jsonschema.validate(YAML(typ="safe", pure=True).load(path), cases_schema())


@pytest.mark.parametrize("path", [*POLICIES, *CASES], ids=name)
def test_editors_find_the_schema(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).is_file()


def test_the_committed_schemas_are_current() -> None:
    assert (SHIPPED / "policy.schema.json").read_text() == schema_text(policy_schema())
    assert (SHIPPED / "cases.schema.json").read_text() == schema_text(cases_schema())


def test_every_field_has_a_description() -> None:
    for schema in (policy_schema(), cases_schema()):
        for definition in (schema, *schema["$defs"].values()):
            assert definition.get("description"), definition["title"]
            for field, what in definition.get("properties", {}).items():
                assert what.get("description") or "$ref" in what, (definition["title"], field)


def test_the_starter_denies_everything() -> None:
    assert load_policy(SHIPPED / "default.yaml").rules == ()
