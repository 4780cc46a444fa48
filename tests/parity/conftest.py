"""The SQL of PostgreSQL's regression suite and psycopg's tests are not part of the repository; see each test's module.

Without them those tests are not collected. Where CI=true the first are, and fail; the second stay optional, as their
source may be out of reach (`tools/psycopg_tests`).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[2]
REGRESS = Path(os.environ.get("HOSTAGENT_POSTGRES_REGRESS", _TOP.joinpath("../shared/data/postgres-regress")))
PSYCOPG = Path(os.environ.get("HOSTAGENT_PSYCOPG_TESTS", _TOP / "build" / "psycopg"))

collect_ignore = []
if not REGRESS.is_dir() and os.environ.get("CI") != "true":
    collect_ignore.append("test_regress.py")
if not PSYCOPG.is_dir():
    collect_ignore.append("test_psycopg_suite.py")


@pytest.fixture(scope="session")
def regress_files() -> list[Path]:
    """The files of the regression suite."""
    assert REGRESS.is_dir(), f"{REGRESS} is missing: set HOSTAGENT_POSTGRES_REGRESS"
    return sorted(REGRESS.glob("*.sql"))
