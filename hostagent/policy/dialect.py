"""How a target's SQL is read where no session says it: for explanations and cases. PostgreSQL as it is installed;
MySQL's and MariaDB's as a new installation of MariaDB 10.11 is set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hostagent.policy.model import Policy
from hostagent.policy.names import Schemas
from hostagent.sql.analysis import Analysis, Name, Unanalyzed
from hostagent.values.mysql import Flavor, MysqlSettings

VERSION = 101119
SQL_MODE = ("ERROR_FOR_DIVISION_BY_ZERO", "NO_AUTO_CREATE_USER", "NO_ENGINE_SUBSTITUTION", "STRICT_TRANS_TABLES")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a text does, and which functions may be called without being listed."""

    analyze: Callable[[str], Analysis | Unanalyzed]
    harmless: Callable[[Name], bool]


def dialect_of(policy: Policy, target: str, schemas: Schemas) -> Dialect:
    """The dialect of a target; the first of `schemas` is MySQL's default database."""
    if any(entry.name == target and entry.protocol == "mysql" for entry in policy.targets):
        return _mysql((schemas or ("",))[0])
    from hostagent.sql.functions import is_harmless
    from hostagent.sql.postgres import analyze

    return Dialect(analyze, is_harmless)


def _mysql(database: str) -> Dialect:
    from hostagent.sql.mysql import analyze
    from hostagent.sql.mysql.functions import is_harmless

    settings = MysqlSettings(Flavor.MARIADB, VERSION, SQL_MODE, "utf8mb4", database, 0)
    return Dialect(lambda text: analyze(text, settings), is_harmless)
