"""`hostagent doctor`: numbered checks of this host, each with its evidence and what to do about it.

The daemon runs them: the host, the service, and real flows of a governed process that must be intercepted beside real
attempts to get out that must be refused. Without a daemon the host alone is checked, and that is one failure more.

Exit codes: 0 nothing failed (warnings may stand), 1 something did, 69 the daemon refuses to answer.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from dataclasses import asdict
from typing import Any

from hostagent.cli.control_client import Unreachable, call, socket_path
from hostagent.cli.output import add_output, print_json, print_table
from hostagent.kernel.probe import Check, Status, probe

STATUSES = tuple(status.value for status in Status)


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("doctor", help="check this host, with real flows")
    add_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when nothing failed, else 1."""
    try:
        checks = call(socket_path(arguments.socket), "doctor")["checks"]
    except Unreachable as error:
        checks = _without_daemon(error)
    results = Counter(check["status"] for check in checks)
    if arguments.output == "json":
        print_json("Doctor", {"checks": checks, "results": {status: results[status] for status in STATUSES}})
    else:
        print_table(("", "result", "check", "evidence", "fix"), map(_row, checks))
        print("\n" + ", ".join(f"{results[status]} {status}" for status in STATUSES))
    return 1 if results["FAIL"] else os.EX_OK


def _row(check: dict[str, Any]) -> tuple[object, ...]:
    return check["number"], check["status"], check["name"], check["evidence"], check["fix"]


def _without_daemon(error: Unreachable) -> list[dict[str, Any]]:
    checks = [asdict(check) for check in probe()]
    return [*checks, asdict(Check(20, "daemon.answers", "the daemon answers", Status.FAIL, error.what, error.hint))]
