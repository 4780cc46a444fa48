"""Results cross the analyzer's socket, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.sql.analysis import Name
from hostagent.sql.masking.values import (
    Mask,
    MaskKind,
    Masks,
    Needs,
    NeedsMore,
    Rewritten,
    Unsafe,
    result_from_json,
    result_to_json,
)

RESULTS = [
    Unsafe("why", "fix"),
    NeedsMore(Needs(frozenset({Name("a", "b"), Name("", "c")}), frozenset({"f"}), frozenset({"="}), types=True)),
    Rewritten("SELECT 1", ("a.b.c",), (1, 2), ("x", None), ((1, 3), (2, 1)), True),
    Rewritten("SELECT 1"),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: type(r).__name__)
def test_a_result_crosses(result: Any) -> None:
    assert result_from_json(result_to_json(result)) == result


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["unsafe", "needs", "rewritten", "entries", "key"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["unsafe", "needs", "rewritten", "entries", "key"]), JSON))
def test_anything_else_is_refused(data: dict[str, Any]) -> None:
    for decode in (result_from_json, Masks.from_json):
        try:
            assert isinstance(decode(data), Unsafe | NeedsMore | Rewritten | Masks)
        except (KeyError, TypeError, ValueError):
            continue


def test_the_first_mask_that_covers_a_column_counts() -> None:
    masks = Masks((Mask("one", MaskKind.NULL, ("app.*.ssn",)), Mask("two", MaskKind.HASH, ("*.users.s?n", "app.t.c"))))
    found = {
        column: masks.of(Name(*column.split(".")[:2]), column.split(".")[2])
        for column in ("app.users.ssn", "other.users.ssn", "app.t.c", "app.users.name", "app.users.SSN")
    }
    assert {column: mask.name for column, mask in found.items() if mask} == {
        "app.users.ssn": "one",
        "other.users.ssn": "two",
        "app.t.c": "two",
    }
