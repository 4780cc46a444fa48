"""What real tools send is answered as a direct connection answers it: through the daemon, and with masks.

The corpus, and where each statement is from: tests/corpus/everyday. Refused statements are printed, and are under 2 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.corpus.everyday_runs import DATABASE, MASKS, Everyday
from tests.e2e.world import World, target, world
from tests.lab.parity import Governed, Rewriting, Way
from tests.lab.postgres import Postgres
from tests.lab.wire import Server

pytestmark = pytest.mark.timeout(600)  # the fixtures ask a whole corpus

# What tools call beyond the harmless functions: settings, sequences, locks, statistics and the state of the server.
FUNCTIONS = [
    "public.*", "*.order_count", "*.current_setting", "*.set_config", "*.nextval", "*.currval", "*.setval", "*.lastval",
    "*.pg_sequence_*",
    "*.pg_advisory_*", "*.pg_try_advisory_*", "*.txid_*", "*.pg_stat_get_*", "*.pg_show_all_settings",
    "*.pg_prepared_*",
    "*.pg_get_publication_tables", "*.pg_last_*", "*.pg_export_snapshot", "*.pg_extension_*", "*.pg_available_*",
    "*.pg_listening_channels", "*.pg_cancel_backend", "*.pg_settings_get_flags", "*.pg_notify", "*.inet_server_*",
    "*.inet_client_*", "*.pg_timezone_*", "*._pg_*", "*.pg_lock_status", "*.pg_get_replication_slots",
    "*.pg_blocking_pids",
]  # fmt: skip
KINDS = ["read", "write", "session", "ddl", "maintenance"]
POLICY = {
    "targets": [target("orders", 2)],
    "rules": [{
        "name": "application", "actors": "*", "targets": "orders",
        "allow": {
            "kinds": KINDS, "functions": FUNCTIONS,
            "relations": ["public.*", "tpch.*", "pg_catalog.*", "information_schema.*", "*.pg_*"],
        },
    }],
}  # fmt: skip


def governed(here: World, database: str) -> Way:
    """A session through the daemon of a world, with its target at the first address."""
    server = Server("10.77.0.2", here.postgres.port, "trusting", database)
    return Governed(lambda *argv: here.agent.command("run", "--", *argv), server)


def everyday_of(here: World) -> Everyday:
    """The corpus on the server of a world; the direct way is the same one without the daemon."""
    server = Server("10.77.0.2", here.postgres.port, "trusting", DATABASE)
    return Everyday(here.postgres, "trusting", lambda: Governed(lambda *argv: [*here.agent.enter(), *argv], server))


@pytest.fixture(scope="module")
def through_the_daemon() -> Iterator[tuple[Everyday, Callable[[], Way]]]:
    with world(POLICY) as here:
        yield everyday_of(here), lambda: governed(here, DATABASE)


@pytest.fixture(scope="module")
def rewritten() -> Iterator[tuple[Everyday, Callable[[], Way]]]:
    postgres = Postgres((), tls=False)  # reached by its unix socket alone
    postgres.start()
    try:
        everyday = Everyday(postgres, "postgres")
        yield everyday, lambda: Rewriting(everyday.server, MASKS, lenient=True)
    finally:
        postgres.stop()


@pytest.mark.parametrize("way", ["through_the_daemon", "rewritten"])
def test_everyday_statements_answer_as_direct(
    way: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    everyday, make = request.getfixturevalue(way)
    with capsys.disabled():
        print(f"\n{way}")
        outcome = everyday.run_all(make)
    outcome.check()
