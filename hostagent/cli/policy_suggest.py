"""`hostagent policy suggest`: a draft of policy from what was denied, or would have been in `mode: observe`.

Reads the state directory, changes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from hostagent.cli.events import open_index, since
from hostagent.recording.directory import DEFAULT_STATE, Directory
from hostagent.recording.store import Filter

LIMIT = 100_000  # denials looked at, the newest, and as many that were observed


def register(actions: Any) -> None:
    """Add the action."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "suggest", help="draft targets and rules from what was denied; nothing is applied"
    )
    parser.add_argument("--since", type=since, default=0, metavar="AGO", help="such as 90s, 15m, 1h, 7d")
    parser.add_argument("--state-dir", type=Path, default=DEFAULT_STATE, help="default: %(default)s")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0; 1 when nothing was denied that a target or an allow would change."""
    from hostagent.policy.suggest import Denied, draft

    store = open_index(Directory(arguments.state_dir))
    wanted = [Filter(since_ms=arguments.since, verdict=verdict) for verdict in ("deny", "observe")]
    rows = [stored.row for one in wanted for stored in store.query_events(one, LIMIT)]
    text = draft(Denied(r.destination, r.target, r.unit or r.executable or r.cgroup, r.reason, r.text) for r in rows)
    if not text:
        print("nothing was denied that a target or an allow would change", file=sys.stderr)
        return 1
    print(text, end="")
    return os.EX_OK
