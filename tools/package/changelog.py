"""CHANGELOG.md as Debian writes changelogs; both packages carry it."""

from __future__ import annotations

import gzip
import textwrap
from email.utils import formatdate
from typing import TYPE_CHECKING

from tools.package.description import ROOT, Description

if TYPE_CHECKING:
    from tools.package.tree import Tree


def stage(tree: Tree, description: Description, seconds: int) -> None:
    """Put it where readers of both look."""
    text = changelog(description, seconds).encode()
    tree.put("usr/share/doc/hostagent/changelog.gz", gzip.compress(text, mtime=0))


def changelog(description: Description, seconds: int) -> str:
    """One entry: this version, with all that CHANGELOG.md says of it."""
    _, _, newest = (ROOT / "CHANGELOG.md").read_text().partition("\n## ")
    body = newest.partition("\n## ")[0]
    items = " ".join(f"\n{line}" if line.startswith(("- ", "#")) else line.strip() for line in body.splitlines()[1:])
    points = [line[2:].strip() for line in items.splitlines() if line.startswith("- ")]
    wrapped = (textwrap.fill(point, 78, initial_indent="  * ", subsequent_indent="    ") for point in points)
    head = f"{description.name} ({description.version}) unstable; urgency=medium"
    return "\n".join((head, "", *wrapped, "", f" -- {description.maintainer}  {formatdate(seconds)}", ""))
