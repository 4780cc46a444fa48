"""PostgreSQL's regression files by psql, through the agent with an allow-all policy and directly: the same output.

Both run at the same time, each on a server of its own. HOSTAGENT_POSTGRES_REGRESS names the folder with the files.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.world import SCHEMA, World, target, world
from tests.lab.postgres import Postgres
from tests.lab.postgres_versions import home
from tests.parity.compare import differing
from tests.parity.differences import explain
from tests.parity.regress import SETTINGS, Run, run_both

VERSION = "17"  # that the files are of
ALL = {"kinds": "any", "functions": "*", "settings": "*"}
POLICY = {
    "targets": [target("orders", 2)],
    "rules": [{"name": "all", "actors": "*", "targets": "*", "allow": ALL}],
}


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY, Postgres(("*",), home=home(VERSION), settings=SETTINGS)) as made:
        yield made


@pytest.fixture(scope="module")
def runs(here: World, regress_files: list[Path]) -> Iterator[tuple[Run, Run, list[str]]]:
    direct = Postgres(("*",), 5433, here.lab.db, home=home(VERSION), settings=SETTINGS).start()
    try:
        direct.sql(SCHEMA)  # as the other has it, so that both give the same object identifiers
        with tempfile.TemporaryDirectory(prefix="hostagent-regress-") as name:
            Path(name).chmod(0o755)
            yield run_both(here, direct, regress_files, Path(name))
    finally:
        direct.stop()


@pytest.mark.timeout(900)
def test_the_output_is_the_same(
    runs: tuple[Run, Run, list[str]], regress_files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    governed, direct, _ = runs
    found: Counter[str] = Counter()
    unexplained = []
    for path in regress_files:
        for pair in differing(direct.output(path), governed.output(path)):
            why = explain(path.stem, pair)
            found[why] += 1
            if not why:
                unexplained.append((path.stem, *pair))
    with capsys.disabled():
        print(f"\n{len(regress_files)} files; differences: {dict(found)}")
    assert unexplained == []
    assert found["not_parsed"] > 10, "the errors of the suite are among what is compared"


def test_psql_ended_alike(runs: tuple[Run, Run, list[str]]) -> None:
    governed, direct = runs[2]
    assert governed.splitlines() == direct.splitlines()


def test_rows_were_there(runs: tuple[Run, Run, list[str]], regress_files: list[Path]) -> None:
    """The comparison is of results, not of one and the same failure."""
    printed = "".join(runs[1].output(path) for path in regress_files)
    assert printed.count(" rows)\n") > 4000
    assert "connection to server was lost" not in printed


def test_a_setting_that_changes_how_text_is_read_ends_the_session(here: World) -> None:
    dsn = "host=10.77.0.2 dbname=postgres user=trusting"
    script = ("SET standard_conforming_strings = off;", "SELECT 'reached';")
    done = here.psql(dsn, *script)
    assert "standard_conforming_strings must stay on" in done.stderr and "reached" not in done.stdout
    assert here.psql(dsn, *script, run=here.direct).stdout == "SET\nreached\n"
