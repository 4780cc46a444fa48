"""What a session goes on knowing of where unqualified names resolve."""

from __future__ import annotations

import pytest

from hostagent.protocols.postgres.settings import Settings
from hostagent.values.decision import Ruling, Verdict


def after(kinds: tuple[str, ...], relations: tuple[str, ...] = (), settings: tuple[str, ...] = ()) -> Settings:
    known = Settings()
    known.schemas = ("public",)
    known.ran(Ruling(Verdict.ALLOW, "r", "", kinds, relations, settings=settings))
    return known


@pytest.mark.parametrize(
    ("kinds", "relations", "settings"),
    [
        (("create",), ("app.*",), ()),
        (("drop",), ("app.*", "orders"), ()),
        (("alter",), ("a.*", "b.*"), ()),
        (("create", "system"), (), ()),
        (("drop", "role"), (), ()),
        (("grant",), ("app.*",), ()),
        (("revoke",), (), ()),
        (("call",), (), ()),
        (("do",), (), ()),
        (("set",), (), ("search_path",)),
        (("set",), (), ("*",)),
        (("set",), (), ()),
    ],
)
def test_what_may_move_names_makes_the_schemas_unknown(
    kinds: tuple[str, ...], relations: tuple[str, ...], settings: tuple[str, ...]
) -> None:
    assert after(kinds, relations, settings).schemas is None


@pytest.mark.parametrize(
    ("kinds", "relations", "settings"),
    [
        (("create",), ("orders",), ()),
        (("alter",), ("app.orders",), ()),
        (("drop",), ("a", "b"), ()),
        (("select",), ("app.orders",), ()),
        (("set",), (), ("application_name",)),
    ],
)
def test_what_makes_or_changes_a_table_leaves_them_known(
    kinds: tuple[str, ...], relations: tuple[str, ...], settings: tuple[str, ...]
) -> None:
    assert after(kinds, relations, settings).schemas == ("public",)
