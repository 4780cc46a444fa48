from __future__ import annotations

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.mysql.denial import Refused
from hostagent.protocols.mysql.settings import CODECS, Settings, may_change, may_stop_tracking, version_number
from hostagent.values.decision import Ruling, Verdict
from hostagent.values.mysql import Flavor, MysqlSettings
from tests.unit.protocols.mysql.wire import schema, variable


def row(**other: str) -> list[bytes | None]:
    values = {"sql_mode": "", "charset": "utf8mb4", "names": "1", "version": "8.0.36", "database": "shop", **other}
    return [value.encode().hex().encode() for value in values.values()]


def test_what_the_server_says_of_itself() -> None:
    settings = Settings()
    settings.user = "app"
    settings.probed(row(sql_mode="STRICT_ALL_TABLES,ANSI"))
    assert settings.mysql == MysqlSettings(Flavor.MYSQL, 80036, ("ANSI", "STRICT_ALL_TABLES"), "utf8mb4", "shop", 1)
    assert settings.schemas == ("shop",)
    assert settings.context[-1] == "user=app"
    assert MysqlSettings.from_json(settings.mysql.to_json()) == settings.mysql


@pytest.mark.parametrize(
    "answer", [[], row()[:4], [b"zz", *row()[1:]], [*row()[:2], b"33", *row()[3:]], row(version="x"), row(version="8")]
)
def test_an_answer_of_another_form_is_an_error(answer: list[bytes | None]) -> None:
    with pytest.raises(PeerError):
        Settings().probed(answer)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10.11.19-MariaDB-0+deb12u1", 101119), ("5.5.5-10.11.19-MariaDB", 101119), ("8.0.36", 80036),
        ("8.0.mysql_aurora.3.04.0", 80000), ("5.7.44-log", 50744),
    ],
)  # fmt: skip
def test_versions_are_those_of_executable_comments(text: str, number: int) -> None:
    assert version_number(text) == number


@pytest.mark.parametrize("codec", sorted(set(CODECS.values())))
def test_no_byte_of_a_longer_character_is_an_ascii_one(codec: str) -> None:
    for number in range(0x80, 0x3000):
        try:
            raw = chr(number).encode(codec)
        except UnicodeEncodeError:
            continue
        assert all(byte >= 0x80 for byte in raw)
    assert bytes(range(0x20, 0x7F)).decode(codec) == bytes(range(0x20, 0x7F)).decode("ascii")


def test_changes_are_followed_where_a_statement_could_have_made_them() -> None:
    settings = Settings()
    settings.probed(row())
    settings.tracked(schema(b""), False)
    assert (settings.schemas, settings.mysql.database) == ((), "")
    settings.tracked(variable(b"sql_mode", b"ANSI_QUOTES") + variable(b"autocommit", b"OFF"), True)
    assert settings.mysql.sql_mode == ("ANSI_QUOTES",)
    settings.tracked(variable(b"sql_mode", b"ANSI_QUOTES"), False)  # the same again is no change
    with pytest.raises(Refused, match="behind a statement"):
        settings.tracked(variable(b"sql_mode", b""), False)
    with pytest.raises(Refused, match="cannot be read safely"):
        settings.tracked(variable(b"character_set_client", b"gbk"), True)


def test_other_state_is_no_concern_of_ours() -> None:
    settings = Settings()
    settings.probed(row())
    before = settings.mysql
    settings.tracked(b"\x02\x011" + b"\x03\x04gtid" + b"\x05\x08T_______", False)
    assert settings.mysql is before


@pytest.mark.parametrize(
    ("kinds", "settings", "changes", "stops"),
    [
        (("select",), (), False, False), (("set",), ("autocommit",), False, False),
        (("set",), ("sql_mode",), True, False),
        (("set",), ("names",), True, False), (("set",), (), True, False), (("call",), (), True, True),
        (("execute",), (), True, True), (("set",), ("session_track_system_variables",), False, True),
        (("set",), ("*",), True, True), (("set",), ("database",), False, False),
    ],
)  # fmt: skip
def test_what_a_statement_may_change(
    kinds: tuple[str, ...], settings: tuple[str, ...], changes: bool, stops: bool
) -> None:
    ruling = Ruling(Verdict.ALLOW, "r", "", kinds, settings=settings)
    assert (may_change(ruling), may_stop_tracking(ruling)) == (changes, stops)
