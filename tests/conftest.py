"""Which modules are tested: the compiled ones, or with `HOSTAGENT_PLAIN=1` their sources (in this process only)."""

from __future__ import annotations

import os
import runpy
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
PLAIN = bool(os.environ.get("HOSTAGENT_PLAIN"))

# how long an example takes says how busy the machine is
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def _sources_only(path: str) -> FileFinder:
    if not Path(path).is_relative_to(ROOT / "hostagent"):
        raise ImportError
    return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES))


if PLAIN:
    sys.path_hooks.insert(0, _sources_only)
    sys.path_importer_cache.clear()
else:
    compiled = runpy.run_path(str(ROOT / "tools" / "compile.py"))
    if not compiled["current"]():
        raise RuntimeError(
            "the compiled modules are not those of the sources: run tools/setup, or set HOSTAGENT_PLAIN=1"
        )


def pytest_report_header() -> str:
    """Said at the top of every run."""
    return "hostagent: plain modules" if PLAIN else "hostagent: compiled modules"
