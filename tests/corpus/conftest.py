"""The SQL of PostgreSQL's regression suite is not part of the repository: without it its tests are not collected.

Where CI=true they are, and fail. HOSTAGENT_POSTGRES_REGRESS names the folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).parents[2].joinpath("../shared/data/postgres-regress")
_FOLDER = Path(os.environ.get("HOSTAGENT_POSTGRES_REGRESS", _DEFAULT))

collect_ignore = [] if _FOLDER.is_dir() or os.environ.get("CI") == "true" else ["test_postgres_regress.py"]


@pytest.fixture(scope="session")
def regress() -> Path:
    """The folder with the files of the suite."""
    assert _FOLDER.is_dir(), f"{_FOLDER} is missing: set HOSTAGENT_POSTGRES_REGRESS"
    return _FOLDER
