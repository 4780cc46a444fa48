"""`hostagent sessions`: list, show, play and export what was recorded. Reads files; needs no daemon."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from hostagent.cli.events import open_index, since
from hostagent.cli.output import add_output, print_json, print_panel, print_table
from hostagent.errors import FileError, Location
from hostagent.recording.directory import DEFAULT_STATE, Directory
from hostagent.recording.reading import Recording, read_recording
from hostagent.recording.replay import asciicast, prompt_of, render, step_json, timed
from hostagent.recording.store import Filter, SessionRow
from hostagent.recording.transcript import transcript

_COLUMNS = ("flow", "opened", "seconds", "process", "unit", "target", "user", "requests", "denied", "bytes")
_NO_LIMIT = float("inf")


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("sessions", help="recorded sessions: list, show, play, export")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="flows, newest last")
    listing.add_argument("--since", type=since, default=0, metavar="AGO", help="such as 90s, 15m, 1h, 7d")
    listing.add_argument("--actor", default="", help="part of a user, executable, command line, cgroup or unit")
    listing.add_argument("--target", default="", help="name of a target")
    listing.add_argument("-n", "--limit", type=int, default=50, help="at most so many (default: %(default)s)")
    add_output(listing)
    listing.set_defaults(run=run_list)
    show = _about_one(commands, "show", "who made it, and what was done in it", run_show)
    add_output(show)
    play = _about_one(commands, "play", "show it again, in its own time", run_play)
    play.add_argument("--speed", type=_positive, default=1.0, help="such as 2 for twice as fast")
    play.add_argument("--idle-limit", type=_positive, default=2.0, metavar="SECONDS", help="longest pause")
    play.add_argument("--no-wait", action="store_true", help="no pauses at all")
    export = _about_one(commands, "export", "print it in another form", run_export)
    export.add_argument("--format", choices=("asciicast", "json", "text"), default="asciicast")
    export.add_argument("--idle-limit", type=_positive, default=_NO_LIMIT, metavar="SECONDS", help="longest pause")
    for command in (listing, show, play, export):
        command.add_argument("--state-dir", type=Path, default=DEFAULT_STATE, help="default: %(default)s")


def run_list(arguments: argparse.Namespace) -> int:
    """The flows; 0."""
    wanted = Filter(since_ms=arguments.since, actor=arguments.actor, target=arguments.target)
    rows = open_index(Directory(arguments.state_dir)).sessions(wanted, arguments.limit)
    if arguments.output == "json":
        print_json("Sessions", {"sessions": [_plain(row) for row in rows]})
    else:
        print_table(_COLUMNS, (_cells(row) for row in rows))
    return os.EX_OK


def run_show(arguments: argparse.Namespace) -> int:
    """One recording: its header and its steps, without pauses; 0."""
    recording = read_recording(find(arguments))
    if arguments.output == "json":
        steps = [step_json(step) for step in transcript(recording)]
        print_json("Session", {"header": recording.header, "torn": recording.torn, "steps": steps})
        return os.EX_OK
    print_panel(_facts(recording))
    print()
    _play(recording, speed=1.0, idle_limit=0.0)
    return os.EX_OK


def run_play(arguments: argparse.Namespace) -> int:
    """Show it again; 0."""
    _play(read_recording(find(arguments)), arguments.speed, 0.0 if arguments.no_wait else arguments.idle_limit)
    return os.EX_OK


def run_export(arguments: argparse.Namespace) -> int:
    """Print it; 0."""
    recording = read_recording(find(arguments))
    steps, prompt = transcript(recording), prompt_of(recording.header)
    if arguments.format == "asciicast":
        for line in asciicast(recording.header, steps, prompt, arguments.idle_limit):
            print(line)
    elif arguments.format == "json":
        print(json.dumps({"header": recording.header}))
        for step in steps:
            print(json.dumps(step_json(step)))
    else:
        for step in steps:
            print(render(step, prompt, colour=False), end="")
    return os.EX_OK


def find(arguments: argparse.Namespace) -> Path:
    """The recording that was asked for: a file, or a flow's id. Raises FileError."""
    given = Path(arguments.recording)
    if given.is_file():
        return given
    name = str(arguments.recording).partition(".")[0]  # a decision's id begins with its flow's
    found = [path for path in Directory(arguments.state_dir).recordings() if path.stem == name]
    if not found:
        raise FileError(Location(str(given)), "there is no such recording", "`hostagent sessions list` shows their ids")
    return found[-1]


def _play(recording: Recording, speed: float, idle_limit: float) -> None:
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    prompt, now = prompt_of(recording.header), 0.0
    for at, step in timed(transcript(recording), idle_limit):
        if at > now:
            time.sleep((at - now) / speed)
            now = at
        print(render(step, prompt, colour), end="", flush=True)


def _about_one(commands: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    parser.add_argument("recording", metavar="FILE|ID", help="a recording's file, or the id of a flow or decision")
    parser.set_defaults(run=run)
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _cells(row: SessionRow) -> tuple[str, ...]:
    opening = row.opening
    lasted = "open" if row.closed is None else f"{(row.closed - opening.time) / 1000:.1f}"
    process = f"{opening.pid} {opening.executable.rpartition('/')[2]}"
    moved = "" if row.bytes_client is None else f"{row.bytes_client} / {row.bytes_upstream}"
    who = f"{row.user}@{row.database}" if row.user else ""
    target = opening.target or opening.destination
    counts = (str(row.requests), str(row.denied), moved)
    return (opening.flow, _time(opening.time), lasted, process, opening.unit or opening.cgroup, target, who, *counts)


def _plain(row: SessionRow) -> dict[str, Any]:
    opening = row.opening
    own = {name: getattr(row, name) for name in row.__slots__ if name not in ("opening", "closed")}
    names = ("flow", "pid", "executable", "unit", "cgroup", "target", "destination")
    return {**{name: getattr(opening, name) for name in names}, "opened": opening.time, "closed": row.closed, **own}


def _facts(recording: Recording) -> list[tuple[str, object]]:
    header, actor = recording.header, recording.header["actor"]
    facts: list[tuple[str, object]] = [("flow", header["flow"]), ("opened", _time(header["started_ms"]))]
    facts += [("target", header["target"]), ("destination", header["destination"])]
    if actor:
        process = actor["process"]
        chain = [process, *actor["parents"]]
        facts.append(("process", "\n".join(f"{p['pid']} {p['executable'] or p['comm']}" for p in chain)))
        facts += [("user", actor["user"]), ("cgroup", actor["cgroup"])]
        facts += [(a["name"], f"{a['value']} ({a['grade']})") for a in actor["attributes"]]
    return facts
