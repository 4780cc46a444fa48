"""Where an entry of the policy stands, for an error that shows long after the files were read."""

from __future__ import annotations

from pathlib import Path

from hostagent.errors import FileError, Location
from hostagent.policy.load import policy_files
from hostagent.policy.model import PolicyFile
from hostagent.policy.yaml import read_with_positions


def place_of(directory: Path, which: str, name: str) -> Location | None:
    """The place of that entry of a list (`credentials`, `targets` …) in the files as they are now, or None."""
    try:
        for path in policy_files(directory):
            file, positions = read_with_positions(path, PolicyFile)
            for index, entry in enumerate(getattr(file, which)):
                if entry.name == name:
                    return positions.at((which, index))
    except FileError:
        return None
    return None
