"""packaging/package.toml as a value, and what else both formats ask about a build."""

from __future__ import annotations

import os
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGING = ROOT / "packaging"


@dataclass(frozen=True, slots=True)
class Description:
    """What the package is. `files` and `configuration` are source (a pattern) → place."""

    name: str
    version: str
    section: str
    group: str
    summary: str
    description: str
    maintainer: str
    licence: str
    depends: dict[str, list[str]]
    recommends: dict[str, list[str]]
    files: dict[str, str]
    configuration: dict[str, str]


def read(version: str | None = None) -> Description:
    """The description; the version is the project's own unless one is given."""
    found = tomllib.loads((PACKAGING / "package.toml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return Description(
        **found["package"],
        version=version or project["version"],
        depends=found["depends"],
        recommends=found["recommends"],
        files=found["files"],
        configuration=found["configuration"],
    )


def script(name: str) -> str:
    """A part of the maintainer scripts."""
    return (PACKAGING / "scripts" / f"{name}.sh").read_text()


def source_date() -> int:
    """The one time that is in a package, in seconds: SOURCE_DATE_EPOCH, or the last commit's."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
