"""What a MySQL or MariaDB session is known to be set to: all beside its text that says what a statement means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Flavor(StrEnum):
    """Whose server it is; they read executable comments and some statements differently."""

    MYSQL = "mysql"
    MARIADB = "mariadb"


@dataclass(frozen=True, slots=True)
class MysqlSettings:
    """`version` as executable comments have it: 101119 is 10.11.19, 80036 is 8.0.36. `sql_mode`: the names of the
    modes that are on, upper case, sorted. `charset`: character_set_client, one in which no byte of a longer character
    is an ASCII byte. `database`: the default database, empty when there is none. `lower_case_table_names`: 0, 1 or 2.
    """

    flavor: Flavor
    version: int
    sql_mode: tuple[str, ...]
    charset: str
    database: str
    lower_case_table_names: int

    def context(self) -> tuple[str, ...]:
        """Itself as the context of a request."""
        modes = ",".join(self.sql_mode)
        names = self.lower_case_table_names
        return (
            f"charset={self.charset}",
            f"database={self.database}",
            f"flavor={self.flavor}",
            f"lower_case_table_names={names}",
            f"sql_mode={modes}",
            f"version={self.version}",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values for the analyzer's socket."""
        return {
            "flavor": str(self.flavor),
            "version": self.version,
            "sql_mode": list(self.sql_mode),
            "charset": self.charset,
            "database": self.database,
            "lower_case_table_names": self.lower_case_table_names,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> MysqlSettings:
        """What `to_json` described. Raises KeyError, TypeError or ValueError on another shape."""
        return cls(
            Flavor(data["flavor"]),
            int(data["version"]),
            tuple(str(mode) for mode in data["sql_mode"]),
            str(data["charset"]),
            str(data["database"]),
            int(data["lower_case_table_names"]),
        )
