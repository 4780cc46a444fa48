"""What a policy denies at a MySQL target is stopped in every disguise: the server's state is the same before and after
each, and the session goes on. Beside it the same means, where they are allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.e2e.mysql_world import PORT, MysqlWorld, address, target, world

pytestmark = pytest.mark.timeout(300)

ORDERS, SHARED, UNLISTED = 2, 5, 12
EITHER = [  # on whatever port
    {"name": f"any-{protocol}", "protocol": protocol, "tls": {"upstream": "off"},
     "match": {"addresses": [f"10.77.0.{SHARED}/32"]}}
    for protocol in ("mysql", "postgres")
]  # fmt: skip
BLOCKED = [
    (how, text.replace("\\n", "\n"))
    for line in (Path(__file__).parent / "mysql" / "blocked.sql").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("--")
    for how, _, text in [line.partition(" ")]
]
ALLOWED = [
    ("query", "/*!50000 INSERT INTO scratch VALUES (1, 'twin') */"),
    ("query", "SELECT 1; INSERT INTO scratch VALUES (2, 'twin'); SELECT 2"),
    ("query", "SELECT '\\'; DROP TABLE accounts; -- '"),
    ("query", "SELECT 1 -- ; DROP TABLE accounts"),
    ("query", "SELECT 1 --\t; DROP TABLE accounts"),
    ("query", "SET NAMES utf8mb4"),
    ("query", "/*!40101 SET sql_mode = '' */"),
    ("query", "SELECT 1 /*!999999 ; DROP TABLE accounts */"),
    ("prepared", "INSERT INTO scratch VALUES (3, 'twin')"),
    ("prepared", "UPDATE scratch SET note = 'changed' WHERE id = 3"),
    ("cursor", "SELECT * FROM accounts"),
    ("query", "START TRANSACTION; DELETE FROM scratch WHERE id = 1; COMMIT"),
    ("command", "0273686f70"),  # INIT_DB shop
    ("command", "0e"),  # PING
    ("query", "SET @x = 1, autocommit = 1"),
]
ALIVE = ("query", "SELECT 'alive', COUNT(*) FROM accounts")
STATE = """
SELECT user, host, priv FROM mysql.global_priv ORDER BY 1, 2;
SELECT table_schema, table_name, table_type, engine FROM information_schema.tables
  WHERE table_schema NOT IN ('information_schema') ORDER BY 1, 2;
SELECT * FROM information_schema.columns WHERE table_schema = 'shop' ORDER BY table_name, ordinal_position;
SELECT routine_schema, routine_name, routine_definition FROM information_schema.routines ORDER BY 1, 2;
SELECT trigger_schema, trigger_name FROM information_schema.triggers ORDER BY 1, 2;
SELECT event_schema, event_name FROM information_schema.events ORDER BY 1, 2;
SELECT schema_name FROM information_schema.schemata ORDER BY 1;
SELECT plugin_name, plugin_status FROM information_schema.all_plugins ORDER BY 1;
SELECT variable_name, variable_value FROM information_schema.global_variables
  WHERE variable_name IN ('MAX_CONNECTIONS', 'GENERAL_LOG', 'GENERAL_LOG_FILE', 'SQL_MODE', 'READ_ONLY') ORDER BY 1;
SELECT * FROM shop.accounts ORDER BY id;
SELECT * FROM shop.scratch ORDER BY id, note;
"""


def policy() -> dict[str, object]:
    """Reads and writes of one database, transactions, and what a session needs."""
    return {
        "targets": [target("orders", ORDERS, "off"), *EITHER],
        "rules": [{
            "name": "work", "actors": "*", "targets": "*",
            "allow": {
                "kinds": ["select", "insert", "update", "delete", "transaction", "set", "show", "prepare", "execute"],
                "relations": "shop.*",
            },
        }],
    }  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[MysqlWorld]:
    with world(policy()) as made:
        made.mariadb.sql("CREATE USER anybody; GRANT ALL ON *.* TO anybody WITH GRANT OPTION")
        yield made


def state(here: MysqlWorld) -> str:
    """A fingerprint of the server: accounts, relations, routines, plugins, settings and rows."""
    return hashlib.sha256(here.mariadb.sql(STATE).encode()).hexdigest()


def test_every_disguise_is_denied_and_the_session_goes_on(here: MysqlWorld) -> None:
    went, ended, moved = [], [], []
    with here.wired(ORDERS) as ask:
        before = state(here)
        for how, text in BLOCKED:
            packets = ask(how, text)
            if packets[-1][0] != "\xff":
                went.append((how, text, packets))
            if "(gone)" in packets or "alive" not in str(ask(*ALIVE)):
                ended.append((how, text, packets))
            if (after := state(here)) != before:
                moved.append((how, text))
                before = after
    assert not went, "\n".join(map(str, went))
    assert not ended, "\n".join(map(str, ended))
    assert not moved


def test_the_same_means_work_where_they_are_allowed(here: MysqlWorld) -> None:
    before = state(here)
    for case, packets in zip(ALLOWED, here.wire(ORDERS, ALLOWED), strict=True):
        assert packets[-1][0] != "\xff", (case, packets)
    assert here.mariadb.sql("SELECT id, note FROM shop.scratch ORDER BY id") == "2\ttwin\n3\tchanged"
    assert state(here) != before


def test_a_destination_without_a_target_is_denied_reported_and_drafted(here: MysqlWorld) -> None:
    done = here.mysql(UNLISTED, "SELECT 1")
    assert f"no target of the policy covers {address(UNLISTED)}:{PORT}" in done.stderr
    refused = [e for e in here.events() if e["metadata"]["event_code"] == "flow_refused"]
    assert [e["dst_endpoint"]["ip"] for e in refused] == [address(UNLISTED)]
    text = here.agent.hostagent("policy", "suggest", "--state-dir", here.agent.state)
    (target_,) = YAML(typ="safe").load(text)["targets"]
    assert target_["protocol"] == "mysql"
    assert "waited for its server" in text
    assert target_["match"] == {"addresses": [f"{address(UNLISTED)}/32"], "ports": [PORT]}
    assert "#     allow:" in text


def test_a_target_is_found_by_what_its_client_speaks_on_any_port(here: MysqlWorld) -> None:
    done = here.mysql(SHARED, "SELECT 'by silence'")
    assert done.stdout == "by silence\n", done.stderr
    (decided,) = here.decided("SELECT 'by silence'")
    assert decided["unmapped"]["target"] == "any-mysql"
    here.psql(f"host={address(SHARED)} port={PORT} dbname=x user=x", "SELECT 1;")  # of a server that is none of its own
    opened = [e["unmapped"]["target"] for e in here.events() if e["metadata"]["event_code"] == "flow_opened"]
    assert "any-postgres" in opened
