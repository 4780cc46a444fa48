"""`hostagent doctor`: numbered checks of this host, each with its evidence and what to do about it.

The daemon runs them: kernel and configuration, and a real flow of a governed process that must be intercepted beside
real attempts to get out that must be refused. Without a daemon the host alone is checked, and that is one failure more.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from dataclasses import asdict
from typing import Any

from hostagent.cli.control_client import Unreachable, call, socket_path
from hostagent.cli.output import add_output, print_json, print_table
from hostagent.kernel.probe import probe


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
        print_json("Doctor", {"checks": checks, "results": dict(results)})
    else:
        print_table(("", "result", "check", "evidence", "fix"), map(_row, checks))
        print("\n" + ", ".join(f"{results[status]} {status}" for status in ("PASS", "WARN", "FAIL")))
    return 1 if results["FAIL"] else os.EX_OK


def _row(check: dict[str, Any]) -> tuple[object, ...]:
    return check["number"], check["status"], check["name"], check["evidence"], check["fix"]


def _without_daemon(error: Unreachable) -> list[dict[str, Any]]:
    checks = [asdict(check) for check in probe()]
    failure = {"name": "the daemon answers", "status": "FAIL", "evidence": error.what, "fix": error.hint}
    return [*checks, {"number": len(checks) + 1, **failure}]
