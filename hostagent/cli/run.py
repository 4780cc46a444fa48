"""`hostagent run [--user USER] -- COMMAND…`: run a command governed, in a cgroup made for it, from before its exec."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

from hostagent.cli.control_client import call, socket_path
from hostagent.errors import HostError
from hostagent.kernel.launch import launch


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("run", help="run a command governed (root)")
    parser.add_argument("--user", help="run it as this user (name or number)")
    parser.add_argument("argv", nargs="+", metavar="COMMAND", help="the command and its arguments, after --")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """The command's own exit code; 128 and the number of a signal that ended it."""
    control = socket_path(arguments.socket)
    prepared = call(control, "run.prepare", argv=arguments.argv)
    try:
        return launch(arguments.argv, prepared["directory"], arguments.user)
    finally:
        with contextlib.suppress(HostError):  # then the daemon removes the cgroup when it starts again
            call(control, "run.end", id=prepared["id"])
