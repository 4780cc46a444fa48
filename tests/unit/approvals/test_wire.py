"""A request between worker and supervisor: nothing is lost, and nothing of another shape is taken."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "policy"))
from policy_samples import actor

from hostagent.approvals.values import Bound, Requester
from hostagent.approvals.wire import Held, asked_from, to_json
from hostagent.values.actor import Grade

BOUND = st.builds(Bound, st.just("text"), st.text()) | st.builds(Bound, st.just("hex"), st.binary().map(bytes.hex))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def held(**other: Any) -> Held:
    return Held("f-1.1", "f-1", actor("/a"), "db", "text", (), "text", ("r",))._replace(**other)


@given(st.text(), st.lists(BOUND | st.just(Bound("null"))), st.text())
def test_nothing_is_lost(text: str, values: list[Bound], template: str) -> None:
    given_ = held(text=text, values=tuple(values), template=template)
    asked = asked_from(json.loads(json.dumps(to_json(given_))), "w", 1.0, 2.0)
    assert (asked.text, asked.values, asked.template) == (text, tuple(values), template)


@given(st.sampled_from(sorted(to_json(held()))), JSON)
def test_another_shape_is_refused_as_such(key: str, value: Any) -> None:
    try:
        asked = asked_from({**to_json(held()), key: value}, "w", 1.0, 2.0)
    except (KeyError, TypeError, ValueError):
        return
    assert asked.id
    assert asked.rules
    assert all(isinstance(bound.value, str) for bound in asked.values)


def test_the_service_of_a_requester_is_its_unit_wherever_in_it_it_runs() -> None:
    def service(cgroup: str, **attributes: Any) -> str:
        return Requester.of(actor(cgroup, **attributes)).service

    assert service("/system.slice/x.service/job/1", unit="x.service") == "/system.slice/x.service"
    assert service("/system.slice/x.service", unit="x.service") == "/system.slice/x.service"
    assert service("/hostagent-a/run/1") == "/hostagent-a/run/1"
    assert service("/a/b.service", unit=("b.service", Grade.CLAIMED)) == "/a/b.service"
    assert service("/a/c", unit="b.service") == "/a/c"
    assert service("/") == "/"
