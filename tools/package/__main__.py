"""`make package`: dist/hostagent_VERSION_amd64.deb and dist/hostagent-VERSION.x86_64.rpm."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.package import deb, rpm
from tools.package.description import ROOT, read, source_date
from tools.package.tree import replace, stage


def main() -> int:
    """Build what is asked for."""
    parser = argparse.ArgumentParser(prog="tools.package", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--tree", type=Path, default=ROOT / "build" / "package", help="where the files are staged")
    parser.add_argument("--version", help="of the package, when it is not the project's (a build of a commit, a test)")
    parser.add_argument("--format", choices=("deb", "rpm"), action="append", help="default: both")
    parser.add_argument("--fast", action="store_true", help="hardly compress them (for tests)")
    arguments = parser.parse_args()
    description, seconds = read(arguments.version), source_date()
    tree = stage(replace(arguments.tree), description, seconds)
    for name in arguments.format or ("deb", "rpm"):
        build = deb.build if name == "deb" else rpm.build
        print(build(tree, description, seconds, arguments.out, arguments.fast))
    return 0


if __name__ == "__main__":
    sys.exit(main())
