"""A world with masked columns in a throw-away MariaDB: the same relations, one of two sets of masked values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from hostagent.sql.masking.values import Mask, MaskKind, Masks, NeedsMore, Rewritten, Unsafe
from hostagent.sql.mysql.masking.query import catalog_query
from hostagent.sql.mysql.masking.rewrite import answer
from hostagent.values.mysql import Flavor, MysqlSettings
from tests.lab.mariadb import MariaDB

HERE = Path(__file__).parent
MODE = "STRICT_TRANS_TABLES"
KEY = bytes(range(32))
MASKS = Masks(
    (
        Mask("ids", MaskKind.REDACT, ("app.*.ssn", "app.odd*.the*")),
        Mask("pay", MaskKind.NULL, ("app.users.salary",)),
        Mask("more", MaskKind.REDACT, ("app.users.pay", "app.users.born", "app.users.secret", "app.users.mood")),
    ),
    KEY,
)
TABLES = ("users", "people", "refs", "checked", "watched", "log", "dept", "`odd ``name`")
ROUNDS = 6


def statements(file: str) -> list[str]:
    """The statements of a corpus file, one a line."""
    lines = (HERE / file).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n").replace("\\t", "\t") for line in lines if line and not line.startswith("--")]


def settings(server: MariaDB, database: str = "app") -> MysqlSettings:
    """What a session with that server is set to."""
    major, minor, patch = server.sql("SELECT VERSION()").split("-")[0].split(".")
    version = int(major) * 10_000 + int(minor) * 100 + int(patch)
    return MysqlSettings(Flavor.MARIADB, version, (MODE,), "utf8mb4", database, 0)


def make(server: MariaDB, values: str) -> None:
    """The world with that set of masked values, and nothing else."""
    server.sql("DROP DATABASE IF EXISTS app; DROP DATABASE IF EXISTS other;")
    server.sql((HERE / "world.sql").read_text(encoding="utf-8"))
    server.sql("USE app;" + (HERE / f"values_{values}.sql").read_text(encoding="utf-8"))


@dataclass
class Session:
    """One connection, and what it is asked under masks."""

    connection: pymysql.connections.Connection[Any]
    settings: MysqlSettings
    masks: Masks
    tables: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, server: MariaDB, masks: Masks = MASKS, user: str = "root") -> Session:
        """A new session in the database `app`."""
        connection = pymysql.connect(
            unix_socket=str(server.socket), user=user, database="app", charset="utf8mb4", autocommit=False,
            client_flag=CLIENT.MULTI_STATEMENTS,
        )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute("SET sql_mode = %s", (MODE,))
        return cls(connection, settings(server), masks)

    def rewritten(self, text: str) -> Rewritten | Unsafe:
        """The text with masks, with as many questions to the server as it takes."""
        catalog = ""
        for _ in range(ROUNDS):
            result = answer(text, self.settings, catalog, self.masks)
            if not isinstance(result, NeedsMore):
                return result
            with self.connection.cursor() as cursor:
                cursor.execute(catalog_query(result.needs, self.settings.flavor))
                catalog = cursor.fetchone()[0]
        return Unsafe("too many rounds")

    def run(self, text: str, *, prepared: bool = False) -> Sequence[Any]:
        """Everything that the server answers: column names, rows, counts, warnings; or its error."""
        try:
            with self.connection.cursor() as cursor:
                if prepared:
                    cursor.execute("SET @text = %s", (text,))
                    cursor.execute("PREPARE corpus FROM @text")
                    cursor.execute("EXECUTE corpus")
                else:
                    cursor.execute(text)
                found = [_shown(cursor)]
                while cursor.nextset():
                    found.append(_shown(cursor))
                return found
        except pymysql.err.Error as error:
            return error.args

    def state(self) -> list[Any]:
        """What a masked session sees of every table."""
        self.tables = self.tables or [self._masked(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES]
        return [self.run(text) for text in self.tables]

    def _masked(self, text: str) -> str:
        result = self.rewritten(text)
        assert isinstance(result, Rewritten), (text, result)
        return result.text


def _shown(cursor: Any) -> Any:
    names = [(d[0], d[1]) for d in cursor.description or ()]
    return names, cursor.fetchall(), cursor.rowcount, getattr(cursor, "warning_count", 0)
