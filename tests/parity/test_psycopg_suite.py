"""psycopg's own test suite, through the agent with an allow-all policy and directly: every test ends the same way.

Both run at the same time, each on a server of its own. `tools/psycopg_tests` fetches the suite, HOSTAGENT_PSYCOPG_TESTS
names another place. Left out in both are tests that measure time, that psycopg calls slow or flakey, those of other
servers and of its pool, and those that wait for sockets of their own.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree as Xml
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.world import SCHEMA, World, target, world
from tests.lab.postgres import Postgres
from tests.parity.conftest import PSYCOPG

SECONDS = 600
ALL = {"kinds": "any", "functions": "*", "settings": "*"}
POLICY = {
    "targets": [target("orders", 2)],
    "rules": [{"name": "all", "actors": "*", "targets": "*", "allow": ALL}],
}
SELECTED = " and not ".join(("not slow", "timing", "flakey", "subprocess", "gevent", "dns"))
LEFT_OUT = tuple(
    f"tests/{name}"
    for name in ("pool", "crdb", "scripts", "test_typing.py", "test_waiting.py", "test_waiting_async.py")
)
EXPLAINED = {  # what a test is called: why it ends otherwise through the agent
    r"\[(\w+-)?off\]$": "it sets standard_conforming_strings off, and that ends a session",
    r"test_set_encoding_unsupported$": "it sets a client_encoding that is refused, and that ends a session",
    r"test_(broken|context_inerror_rollback_no_clobber|right_exception_on_server_disconnect)(\[|$)": (
        "it ends the session by the process id of the cancel key, and that key is the agent's"
    ),
    r"test_notify(_handlers)?(\[|$)": "it looks for that process id in a notification",
    r"test_ping$": "it expects no answer at a port where nobody listens: the agent answers there too",
    r"test_get_params$": "it takes the port for another than the default: so it is only in the direct run",
}
Outcomes = dict[str, str]


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY, Postgres(("*",), settings=("max_prepared_transactions=10",))) as made:
        yield made


@pytest.fixture(scope="module")
def outcomes(here: World) -> Iterator[tuple[Outcomes, Outcomes]]:
    """How each test ended: governed, directly."""
    direct = Postgres(("*",), 5433, here.lab.db, settings=here.postgres.settings).start()
    try:
        direct.sql(SCHEMA)
        with tempfile.TemporaryDirectory(prefix="hostagent-psycopg-") as name, ThreadPoolExecutor(2) as pool:
            runs = ((here, True, 5432, Path(name) / "a"), (here, False, 5433, Path(name) / "d"))
            governed, ungoverned = pool.map(lambda run: run_suite(*run), runs)
            yield governed, ungoverned
    finally:
        direct.stop()


def run_suite(here: World, governed: bool, port: int, directory: Path) -> Outcomes:
    """Run the suite against the server at that port; `directory` is made for what it writes."""
    directory.mkdir()
    command = [PSYCOPG / "venv/bin/python", "-m", "pytest", "-q", "-o", f"cache_dir={directory}/cache", "-m", SELECTED]
    command += [f"--ignore={path}" for path in LEFT_OUT]
    command += [
        f"--test-dsn=host=10.77.0.2 port={port} user=trusting dbname=postgres",
        f"--junitxml={directory}/all.xml",
    ]
    run = here.governed if governed else here.direct
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done: subprocess.CompletedProcess[str] = run(
        "sh", "-c", 'cd "$0" && exec "$@"', PSYCOPG, *command, env=environment, timeout=SECONDS
    )
    assert (directory / "all.xml").exists(), done.stdout + done.stderr
    return dict(read(directory / "all.xml"))


def read(report: Path) -> Iterator[tuple[str, str]]:
    """Each test of a JUnit report and its outcome."""
    for case in Xml.parse(report).iter("testcase"):
        ended = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        yield f"{case.get('classname')}::{case.get('name')}", ended[0] if ended else "passed"


@pytest.mark.timeout(SECONDS + 60)
def test_every_test_ends_the_same_way(outcomes: tuple[Outcomes, Outcomes], capsys: pytest.CaptureFixture[str]) -> None:
    governed, direct = outcomes
    with capsys.disabled():
        print(f"\nthrough the agent: {dict(Counter(governed.values()))}; directly: {dict(Counter(direct.values()))}")
    assert governed.keys() == direct.keys()
    different = [f"{n}: {direct[n]}, not {governed[n]}" for n in sorted(direct) if direct[n] != governed[n]]
    names = [line.partition(": ")[0] for line in different]
    unexplained = [line for line, name in zip(different, names, strict=True) if not explained(name)]
    assert not unexplained, "\n".join(unexplained)
    assert not [what for what in EXPLAINED if not any(re.search(what, name) for name in names)], "no longer different"


def explained(name: str) -> bool:
    """Whether that test is known to end otherwise."""
    return any(re.search(what, name) for what in EXPLAINED)


def test_the_suite_was_run(outcomes: tuple[Outcomes, Outcomes]) -> None:
    counted = Counter(outcomes[1].values())
    assert counted["passed"] > 4000
    assert counted["failure"] + counted["error"] <= 10, "what fails in both is next to nothing"
