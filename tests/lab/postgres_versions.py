"""The PostgreSQL servers of other versions than the distribution's, which `tools/postgres_versions` fetches."""

from __future__ import annotations

from pathlib import Path

FETCHED = Path(__file__).parents[2] / "build" / "postgres"
DISTRIBUTION = "15"
VERSIONS = ("13", DISTRIBUTION, "17", "18")


def home(version: str) -> Path | None:
    """What `Postgres(home=…)` takes for that major version. Raises FileNotFoundError when it was not fetched."""
    if version == DISTRIBUTION:
        return None
    directory = FETCHED / version
    if not (directory / "bin" / "postgres").is_file():
        raise FileNotFoundError(f"no PostgreSQL {version} in {FETCHED} (tools/postgres_versions fetches it)")
    return directory
