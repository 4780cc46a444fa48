"""The SQL of PostgreSQL's regression suite and psycopg's tests are not part of the repository; see each test's module.

Without them those tests are not collected. Where CI=true they are, and fail.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[2]
REGRESS = Path(os.environ.get("HOSTAGENT_POSTGRES_REGRESS", _TOP.joinpath("../shared/data/postgres-regress")))
PSYCOPG = Path(os.environ.get("HOSTAGENT_PSYCOPG_TESTS", _TOP / "build" / "psycopg"))
_NEEDED = {"test_regress.py": REGRESS, "test_psycopg_suite.py": PSYCOPG}

collect_ignore = [name for name, folder in _NEEDED.items() if not folder.is_dir() and os.environ.get("CI") != "true"]


@pytest.fixture(scope="session")
def regress_files() -> list[Path]:
    """The files of the regression suite."""
    assert REGRESS.is_dir(), f"{REGRESS} is missing: set HOSTAGENT_POSTGRES_REGRESS"
    return sorted(REGRESS.glob("*.sql"))
