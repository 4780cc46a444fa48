"""`hostagent support`: one file that says how this host is, for whoever helps; secrets taken out, contents shown first.

What is never in it: key material, credentials, the environment of a process, recordings, and, unless it is asked for
by name (`--with-statements`), the text of any statement. Reads only; root sees all of it.

Exit codes: 0 written (or listed), 1 not wanted after all. What may not be read says so in its place.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import sys
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostagent.cli.output import API_VERSION, print_error, print_table
from hostagent.errors import HostError

if TYPE_CHECKING:
    from hostagent.cli.support_items import Item

DEFAULT_CONFIG = Path("/etc/hostagent/hostagent.yaml")
_COLUMNS = ("file", "bytes", "what it is")


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("support", help="gather what a helper needs, secrets taken out")
    parser.add_argument("--list", action="store_true", help="only say what would be in it")
    parser.add_argument("--yes", action="store_true", help="write it without asking")
    parser.add_argument("--file", type=Path, help="where to (default: hostagent-support-HOST-TIME.tar.gz, here)")
    parser.add_argument("--lines", type=int, default=2000, help="lines of the log (default: %(default)s)")
    parser.add_argument(
        "--with-statements", type=int, default=0, metavar="N", help="the last N events too, with what was asked in them"
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="hostagent.yaml (default: %(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when it is written or was only to be listed, 1 when it is not wanted."""
    from hostagent.cli.support_items import Host, items

    host = Host(arguments.config, arguments.socket, arguments.lines, arguments.with_statements)
    gathered = list(items(host))
    print_table(_COLUMNS, ((item.name, len(item.content), item.about) for item in gathered))
    if arguments.list:
        return os.EX_OK
    file = arguments.file or Path(f"hostagent-support-{socket.gethostname()}-{time.strftime('%Y%m%dT%H%M%S')}.tar.gz")
    if not arguments.yes and not _wanted(file):
        return 1
    _write(file, gathered)
    print(f"\nwritten: {file}, {file.stat().st_size} bytes; look through it before you send it")
    return os.EX_OK


def _wanted(file: Path) -> bool:
    if not sys.stdin.isatty():
        print_error("nobody to ask whether to write it", "look at the list, then say --yes")
        return False
    return input(f"\nWrite it to {file}? [y/N] ").strip().lower() in ("y", "yes")


def _write(file: Path, gathered: Iterable[Item]) -> None:
    """A tar file that only its owner can read. Raises HostError."""
    from hostagent.cli.support_items import Item

    contents = [*gathered]
    listed = [{"file": item.name, "bytes": len(item.content), "about": item.about} for item in contents]
    manifest = {"apiVersion": API_VERSION, "kind": "Support", "time": int(time.time()), "files": listed}
    contents.insert(0, Item("manifest.json", "what is here", json.dumps(manifest, indent=2)))
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostError(f"{file} cannot be written: {error.strerror}", "name another with --file") from None
    with os.fdopen(fd, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as tar:
        os.fchmod(fd, 0o600)
        for item in contents:
            data = item.content.encode("utf-8", "replace")
            info = tarfile.TarInfo(f"hostagent-support/{item.name}")
            info.size, info.mode, info.mtime = len(data), 0o600, int(time.time())
            tar.addfile(info, io.BytesIO(data))
