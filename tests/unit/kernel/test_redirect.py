"""The text of the table, how a listing is read, and which names are taken."""

from __future__ import annotations

import json

import pytest

from hostagent.kernel.redirect import Redirect, parse_listing, table_text

NAMES = ("docker0", "veth*", "cni-1", "br-0a1b2c")
BAD_NAMES = ("", "lo", "l*", "*", "a b", 'x" drop', "a*b", "x" * 16)


@pytest.mark.parametrize("name", NAMES)
def test_an_interface_has_its_rule_before_routing_in_input_and_in_forward(name: str) -> None:
    text = table_text("hostagent_x", 15001, (name,))
    assert text.count(f'iifname "{name}" meta l4proto tcp jump containers') == 1
    assert text.count(f'iifname "{name}" meta l4proto tcp jump forwarded') == 2


@pytest.mark.parametrize("name", BAD_NAMES)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError):
        Redirect("x", 15001, (name,))


@pytest.mark.parametrize("instance", ("", "A", "x y", 'a"', "1a", "a" * 25))
def test_instances_that_nftables_would_not_take_are_refused(instance: str) -> None:
    with pytest.raises(ValueError):
        Redirect(instance, 15001)
    Redirect("hostagent", 15001)


def test_the_text_touches_one_table_only() -> None:
    text = table_text("hostagent_x", 15001, NAMES)
    assert text.splitlines()[:3] == [
        "add table inet hostagent_x",
        "delete table inet hostagent_x",
        "table inet hostagent_x {",
    ]
    assert "flush" not in text


def test_a_reject_follows_both_tproxy_rules() -> None:
    lines = [line.strip() for line in table_text("hostagent_x", 15001, ()).splitlines()]
    last = max(index for index, line in enumerate(lines) if "tproxy" in line)
    assert lines[last + 1] == "meta l4proto tcp reject with tcp reset"
    assert sum("tproxy ip to 127.0.0.1:15001" in line for line in lines) == 1
    assert sum("tproxy ip6 to [::1]:15001" in line for line in lines) == 1


def listing(*items: dict[str, dict[str, object]]) -> str:
    return json.dumps({"nftables": [{"metainfo": {"version": "1"}}, {"table": {"name": "x"}}, *items]})


def test_handles_make_no_difference_and_rules_do() -> None:
    chain = {"chain": {"name": "output", "handle": 1, "prio": -150}}
    first = parse_listing(listing(chain, {"rule": {"chain": "output", "handle": 2, "expr": ["a"]}}))
    again = parse_listing(listing(chain, {"rule": {"chain": "output", "handle": 9, "expr": ["a"]}}))
    other = parse_listing(listing(chain, {"rule": {"chain": "output", "handle": 2, "expr": ["b"]}}))
    assert first == again
    assert first != other
    assert parse_listing(listing(chain, {"set": {"name": "theirs"}})) != parse_listing(listing(chain))


def test_connections_are_tracked_only_where_a_container_interface_is_named() -> None:
    assert " ct " in table_text("hostagent", 15001, ["docker0"])
    assert " ct " not in table_text("hostagent", 15001, [])
