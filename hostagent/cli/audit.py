"""`hostagent audit`: whether what was recorded is as it was written. Needs no daemon."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from hostagent.cli.output import add_output, print_json
from hostagent.recording.directory import DEFAULT_STATE, Directory
from hostagent.recording.verify import Report, verify_directory


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("audit", help="prove that the records are as they were written")
    verify = parser.add_subparsers(metavar="COMMAND", required=True).add_parser(
        "verify", help="check chains, checkpoints and recordings; the first bad record, and exit code 1"
    )
    verify.add_argument("--state-dir", type=Path, default=DEFAULT_STATE, help="default: %(default)s")
    verify.add_argument("--public-key", type=Path, help="a copy of the checkpoint key, kept on another host")
    add_output(verify)
    verify.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when everything is as it was written, 1 when something is not."""
    report = verify_directory(Directory(arguments.state_dir), arguments.public_key)
    if arguments.output == "json":
        print_json("AuditReport", _plain(report))
    else:
        _show(report)
    return os.EX_OK if report.ok else 1


def _show(report: Report) -> None:
    for finding in report.findings:
        if not finding.fault.is_problem:
            print(f"note: {finding.place}: {finding.fault}: {finding.what}")
    for finding in report.problems:
        print(f"BAD: {finding.place}: {finding.fault}: {finding.what}")
    checked = f"{report.records} records in {report.files} files, {report.checkpoints} checkpoints"
    verdict = "intact" if report.ok else f"NOT INTACT, {len(report.problems)} problems"
    print(f"{verdict}: {checked}, {report.recordings} recordings")


def _plain(report: Report) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "files": report.files,
        "records": report.records,
        "checkpoints": report.checkpoints,
        "recordings": report.recordings,
        "findings": [
            {"fault": f.fault.value, "problem": f.fault.is_problem, "place": f.place, "what": f.what}
            for f in report.findings
        ],
    }
