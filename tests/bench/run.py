"""The bench: hostagent on its real path beside no proxy, pgbouncer and haproxy. As root: `make bench`, or

    .venv/bin/python tests/bench/run.py [--quick] [--rounds N] [--seconds S] [--only GROUP,GROUP]

Prints tables of medians with the ratios, and writes build/bench/report.md and report.json after every slice.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)  # run as a file, Python would look beside it only

from tests.bench import bench_mysql, bench_ssh, costs, machine, report  # noqa: E402
from tests.bench.plan import CLIENTS, Extent, Row, slices  # noqa: E402
from tests.bench.stage import stage  # noqa: E402

GROUPS = ("query", "connections", "bulk", "beside", "costs", "ssh", "mysql")
OUT = ROOT / "build" / "bench"
WIDTH = 140  # of tables that no terminal shows


def main() -> int:
    """Run it all; the exit code."""
    arguments = _parser().parse_args()
    if os.geteuid() != 0:
        print("bench: namespaces and hooks need root: run it as root", file=sys.stderr)
        return os.EX_NOPERM
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is ended then too
    groups = frozenset(arguments.only.split(","))
    seconds = arguments.seconds or (2 if arguments.quick else 3)
    extent = Extent(seconds, (8,) if arguments.quick else CLIENTS, groups)
    facts = {**machine.facts(), "seconds_per_run": seconds}
    alone = costs.measure() if "costs" in groups else {}
    rounds = 1 if arguments.quick else arguments.rounds
    rows = _measure(extent, rounds, facts, alone) if slices(extent) else []
    if "ssh" in groups:
        rows += bench_ssh.rows(rounds)
    if "mysql" in groups:
        rows += bench_mysql.rows(rounds, seconds, extent.clients)
    _write({**facts, "rounds": rounds}, rows, alone)
    report.show(Console(width=None if sys.stdout.isatty() else WIDTH), facts, rows, alone)
    return os.EX_OK


def _measure(extent: Extent, rounds: int, facts: dict[str, object], alone: costs.Costs) -> list[Row]:
    rows: list[Row] = []
    planned = slices(extent)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("set-up", total=rounds * sum(part.runs for part in planned))
        with stage() as made:
            for number in range(rounds):
                for part in planned:
                    progress.update(task, description=f"round {number + 1} of {rounds}: {part.name}")
                    for row in part.run(made, number):
                        rows.append({"round": number, **row})
                        progress.advance(task)
                    _write({**facts, "rounds": number + 1}, rows, alone)
    facts["rounds"] = rounds
    return rows


def _write(facts: dict[str, object], rows: list[Row], alone: costs.Costs) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "report.json").write_text(json.dumps({"machine": facts, "rows": rows, "costs": alone}, indent=1) + "\n")
    (OUT / "report.md").write_text(report.markdown(facts, rows, alone))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each run is repeated (default 3)")
    parser.add_argument("--seconds", type=int, help="of one pgbench run (default 3)")
    parser.add_argument("--quick", action="store_true", help="one round, 8 clients, 2 seconds")
    parser.add_argument("--only", default=",".join(GROUPS), help=f"groups to run, of {','.join(GROUPS)}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
