"""`hostagent ca`: the certificate that clients have to trust, and where they look for it."""

from __future__ import annotations

import argparse
import os
from typing import Any

from hostagent.cli.control_client import call, socket_path


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("ca", help="print the host CA's certificate (PEM)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the certificate; the key never leaves the daemon."""
    print(call(socket_path(arguments.socket), "ca")["certificate"], end="")
    return os.EX_OK
