"""Short words for the settings of sessions that the tests speak of."""

from __future__ import annotations

from hostagent.values.mysql import Flavor, MysqlSettings


def session(
    *modes: str,
    flavor: Flavor = Flavor.MARIADB,
    version: int = 101119,
    charset: str = "utf8mb4",
    database: str = "app",
    fold: int = 0,
) -> MysqlSettings:
    """A session with MariaDB 10.11.19 in the database `app`, but for what is said."""
    return MysqlSettings(flavor, version, tuple(modes), charset, database, fold)


MARIADB = session()
MYSQL = session(flavor=Flavor.MYSQL, version=80036)
