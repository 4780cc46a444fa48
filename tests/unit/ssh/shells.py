"""What real shells make of a command line: the argv of each program that they start."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SHELLS = ("sh", "bash")
PROGRAMS = ("a", "b", "cc")
_STUB = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" >"$OUT/$$"
exit 0
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """The argv of all that was started, sorted, and the files that were made in the empty directory that it ran in."""

    commands: list[tuple[str, ...]]
    files: list[str]


class Lab:
    """A directory whose `bin` holds the programs, each of which writes down its argv."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.bin.mkdir()
        for program in PROGRAMS:
            path = self.bin / program
            path.write_text(_STUB)
            path.chmod(0o755)

    def run(self, shell: str, text: str, as_input: bool = False) -> Ran:
        """What `shell -c text` starts, or a shell whose input it is, in an empty directory and environment."""
        with tempfile.TemporaryDirectory(dir=self.bin.parent) as place:
            out, work = Path(place, "out"), Path(place, "work")
            out.mkdir()
            work.mkdir()
            environment = {"PATH": str(self.bin), "OUT": str(out)}
            path = next(p for p in (f"/bin/{shell}", f"/usr/bin/{shell}") if os.path.exists(p))  # noqa: PTH110
            given = text.encode() if as_input else b""
            command = [path] if as_input else [path, "-c", text]
            subprocess.run(
                command, cwd=work, env=environment, input=given, capture_output=True, timeout=30, check=False
            )
            records = [record.read_bytes().decode().split("\0")[:-1] for record in out.iterdir()]
            return Ran(sorted(map(tuple, records)), sorted(entry.name for entry in work.iterdir()))
