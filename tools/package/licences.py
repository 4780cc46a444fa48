"""Whose work is in the package: the licence of each bundled distribution, and its texts, in one copyright file.

Rule: a distribution whose licence is not known to be permissive is not packaged. asyncssh is the exception that
ARCHITECTURE.md states: EPL-2.0, unmodified, with its sources in the package as they were published.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution
from typing import TYPE_CHECKING

from tools.package.description import ROOT
from tools.package.environment import distributions, licence_files, plain

if TYPE_CHECKING:
    from tools.package.tree import Tree

PERMISSIVE = {"MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "ISC"}
UNMODIFIED = {"asyncssh": "EPL-2.0"}
# What distributions say that have no SPDX expression (PEP 639); the texts that come with them were read.
SAID = {"MIT": "MIT", "MIT License": "MIT", "BSD": "BSD-3-Clause", "3-Clause BSD License": "BSD-3-Clause"}
SAID |= {"BSD-3-Clause": "BSD-3-Clause"}
CLASSIFIED = {
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
}


def licence(wanted: Distribution) -> str:
    """Its licence as an SPDX expression; of a choice, the first that is permissive. Raises ValueError."""
    name, metadata = wanted.metadata["Name"], wanted.metadata
    if name in UNMODIFIED:
        return UNMODIFIED[name]
    said = metadata.get("License-Expression") or SAID.get(metadata.get("License", ""))
    if said is None:
        said = next((CLASSIFIED[line] for line in metadata.get_all("Classifier", []) if line in CLASSIFIED), "")
    chosen = next((choice for choice in re.split(r" OR ", said) if choice in PERMISSIVE), None)
    if chosen is None:
        raise ValueError(f"{name}: its licence ({said or 'unknown'}) is not known to be permissive")
    return chosen


def stage(tree: Tree) -> None:
    """Put the copyright file, and beside it the text of every licence that it names."""
    folder = "usr/share/doc/hostagent"
    tree.put(f"{folder}/copyright", copyright_text())
    tree.put(f"{folder}/licences/hostagent.txt", (ROOT / "LICENSE").read_bytes())
    tree.put(f"{folder}/licences/hostagent-bpf.txt", (ROOT / "bpf" / "LICENSE").read_bytes())
    for wanted in distributions():
        tree.put(f"{folder}/licences/{plain(wanted.metadata['Name'])}.txt", texts(wanted))


def copyright_text() -> str:
    """Which licence each part has."""
    rows = "".join(f"  {one.metadata['Name']:<20}{one.version:<16}{licence(one)}\n" for one in distributions())
    return f"""\
hostagent is licensed under Apache-2.0, its programs for the kernel (/usr/lib/hostagent/bpf) under
GPL-2.0-only OR BSD-2-Clause. Copyright: 2026 the hostagent authors.

Bundled in /usr/lib/hostagent, unmodified, each under its own licence:

{rows}
The texts are in /usr/share/doc/hostagent/licences. On Debian systems Apache-2.0 and GPL-2.0 are also in
/usr/share/common-licenses/Apache-2.0 and /usr/share/common-licenses/GPL-2.
"""


def texts(wanted: Distribution) -> str:
    """The texts that come with a distribution, but those of a choice that was not taken. Raises ValueError."""
    paths = [path for path in licence_files(wanted) if "GPL" not in path.name]
    if not paths:
        raise ValueError(f"{wanted.metadata['Name']}: no licence text comes with it")
    return "\n".join(path.locate().read_text("utf-8", "replace") for path in paths)
