"""`hostagent teardown`: stop the daemon and remove all that it set up. Governed processes are free afterwards."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from hostagent.cli.control_client import Unreachable, call, socket_path
from hostagent.errors import HostError

SECONDS = 60.0  # sessions may drain before
_POLL = 0.1


def register(verbs: Any) -> None:
    """Add the verb."""
    help_text = "stop the daemon and remove all that it set up (root)"
    parser: argparse.ArgumentParser = verbs.add_parser("teardown", help=help_text)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 once the daemon is gone. Without a daemon there is nothing to ask: `hostagentd teardown` does it then."""
    control = socket_path(arguments.socket)
    try:
        call(control, "teardown")
    except Unreachable as error:
        raise Unreachable(error.what, "remove what a stopped daemon left: hostagentd teardown") from None
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            call(control, "status")
        except Unreachable:
            return os.EX_OK
        time.sleep(_POLL)
    raise HostError(f"the daemon is still there after {SECONDS:g} s", "see its log")
