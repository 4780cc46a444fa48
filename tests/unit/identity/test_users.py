"""Names of users and groups."""

from __future__ import annotations

import grp
import pwd
from types import SimpleNamespace

import pytest

from hostagent.identity import users
from hostagent.identity.users import Users


def test_root_has_a_name_and_an_unknown_id_is_its_number() -> None:
    names = Users()
    assert (names.user(0), names.group(0)) == ("root", grp.getgrgid(0).gr_name)
    assert (names.user(3_999_999_999), names.group(3_999_999_999)) == ("3999999999", "3999999999")


@pytest.mark.parametrize("number", [-1, 2**32 - 1, 2**32, 2**70])
def test_an_id_that_no_user_can_have_is_its_number(number: int) -> None:
    assert Users().user(number) == str(number)


def test_a_name_of_digits_is_not_taken_for_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: SimpleNamespace(pw_name="0"))
    assert Users().user(1234) == "1234"


def test_a_name_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    asked: list[int] = []

    def getpwuid(uid: int) -> SimpleNamespace:
        asked.append(uid)
        return SimpleNamespace(pw_name=f"user{len(asked)}")

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    names = Users(clock=lambda: now[0])
    assert [names.user(7), names.user(7)] == ["user1", "user1"]
    now[0] = users.KEPT_SECONDS
    assert names.user(7) == "user2"


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "MAX_KEPT", 4)
    names = Users()
    for uid in range(3_000_000_000, 3_000_000_020):
        names.user(uid)
    assert len(names._kept) <= 4
