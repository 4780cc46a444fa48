"""A draft from denials is YAML that loads, says where what comes from, and allows nothing by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hostagent.policy.load import load_policy
from hostagent.policy.suggest import Denied, draft

NO_TARGET = "denied: no target of the policy covers 10.0.0.5:3306"
UNLISTED = Denied("10.0.0.5:3306", "", "app.service", NO_TARGET)
UNRULED = Denied(
    "10.0.0.6:5432", "orders", "app.service", "no rule allows insert, select on public.bills", "SELECT 1 FROM bills"
)


@pytest.mark.parametrize(
    ("destination", "protocol", "address"),
    [
        ("10.0.0.5:3306", "mysql", "10.0.0.5/32"),
        ("10.0.0.5:5432", "postgres", "10.0.0.5/32"),
        ("fd77::2:3306", "mysql", "fd77::2/128"),
    ],
)
def test_a_destination_that_no_target_covers_becomes_one(
    tmp_path: Path, destination: str, protocol: str, address: str
) -> None:
    text = draft([Denied(destination, "", "app.service", NO_TARGET)] * 2)
    (target,) = YAML(typ="safe").load(text)["targets"]
    assert (target["protocol"], target["match"]["addresses"]) == (protocol, [address])
    assert 'asked for 2 times by "app.service"' in text
    (tmp_path / "policy.yaml").write_text(text)
    policy = load_policy(tmp_path)
    assert [t.protocol for t in policy.targets] == [protocol]
    assert not policy.rules


@pytest.mark.parametrize(
    ("port", "said", "protocol", "why"),
    [
        (4406, " (the client waits for its server, as one of mysql does)", "mysql", "waited for its server"),
        (3306, " (the client speaks postgres)", "postgres", "what the client spoke"),
        (4406, "", "postgres", "not known"),
        (4406, " (the client speaks oracle)", "postgres", "not known"),
    ],
)
def test_what_was_spoken_says_more_than_the_port(port: int, said: str, protocol: str, why: str) -> None:
    where = f"10.0.0.9:{port}"
    text = draft([Denied(where, "", "x.service", f"denied: no target of the policy covers {where}{said}")])
    assert f"protocol: {protocol}  # {why}" in text


def test_ssh_needs_a_host_key_that_nobody_but_the_operator_knows() -> None:
    assert "host_keys" in draft([Denied("10.0.0.5:22", "", "x", NO_TARGET)])


def test_what_no_rule_allowed_is_a_comment() -> None:
    text = draft([UNRULED, UNLISTED, UNRULED])
    assert "rules" not in YAML(typ="safe").load(text)
    assert '#     allow: {kinds: ["insert", "select"], relations: ["public.bills"]}' in text
    assert '2 × "SELECT 1 FROM bills"' in text
    assert text == draft([UNLISTED, UNRULED, UNRULED])


def test_what_a_rule_denies_is_not_drafted() -> None:
    assert draft([Denied("10.0.0.6:5432", "orders", "x", "tables stay"), Denied("", "", "x", "unattributed")]) == ""


@given(who=st.text(), statement=st.text(), target=st.text(min_size=1))
def test_nothing_that_a_program_chose_leaves_its_line(who: str, statement: str, target: str) -> None:
    text = draft([Denied("10.0.0.5:3306", "", who, NO_TARGET), Denied("", target, who, UNRULED.reason, statement)])
    loaded = YAML(typ="safe").load(text)
    assert set(loaded) == {"version", "targets"}
    assert len(loaded["targets"]) == 1
