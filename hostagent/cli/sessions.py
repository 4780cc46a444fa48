"""`hostagent sessions`: list, show, play and export what was recorded. Reads files; needs no daemon."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from hostagent.cli.events import open_index, since
from hostagent.cli.output import add_output, print_json, print_panel, print_table
from hostagent.errors import FileError, Location
from hostagent.recording.asciicast import channel_cast
from hostagent.recording.channels import Channel, channels, has_channels
from hostagent.recording.directory import DEFAULT_STATE, Directory
from hostagent.recording.encode import Json
from hostagent.recording.reading import Recording, read_recording
from hostagent.recording.replay import asciicast, prompt_of, render, step_json, timed
from hostagent.recording.ssh_replay import channel_json, lines, played
from hostagent.recording.store import Filter, SessionRow
from hostagent.recording.transcript import transcript

_COLUMNS = ("flow", "opened", "seconds", "process", "unit", "target", "user", "requests", "denied", "bytes")
_NO_LIMIT = float("inf")
_RESET = "\x1b[0m\x1b[?25h"  # what was played may have left the terminal coloured, or without its cursor
_TORN = "the recording ends here: it was cut short by a crash"


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
    _add_idle_limit(play, 2.0)
    play.add_argument("--no-wait", action="store_true", help="no pauses at all")
    export = _about_one(commands, "export", "print it in another form", run_export)
    export.add_argument("--format", choices=("asciicast", "json", "text", "pcap"), default="asciicast")
    for name in ("asciicast", "pcap"):
        export.add_argument(f"--{name}", action="store_const", dest="format", const=name, help=f"as --format {name}")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there")
    _add_idle_limit(export, _NO_LIMIT)
    for command in (play, export):
        command.add_argument("--channel", type=int, metavar="N", help="of an SSH session only this channel")
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
    """One recording: its header and its steps, without pauses; of an SSH session its channels and operations; 0."""
    recording = read_recording(find(arguments))
    with_channels = has_channels(recording)
    if arguments.output == "json":
        print_json("Session", {"header": recording.header, "torn": recording.torn, **_whole(recording)})
        return os.EX_OK
    print_panel(_facts(recording))
    print()
    if not with_channels:
        _play(recording, speed=1.0, idle_limit=0.0)
        return os.EX_OK
    for channel in channels(recording):
        for line in lines(channel, _coloured()):
            print(line)
    if recording.torn:
        print(_TORN)
    return os.EX_OK


def run_play(arguments: argparse.Namespace) -> int:
    """Show it again; 0."""
    recording = read_recording(find(arguments))
    idle_limit = 0.0 if arguments.no_wait else arguments.idle_limit
    if not has_channels(recording):
        _play(recording, arguments.speed, idle_limit)
        return os.EX_OK
    shown = _chosen(recording, arguments)
    paint = _coloured()
    _print_timed(played(shown, paint, idle_limit), arguments.speed)
    if paint:
        print(_RESET, end="")
    if recording.torn:
        print(_TORN)
    return os.EX_OK


def run_export(arguments: argparse.Namespace) -> int:
    """Print it, or write it to a file; 0."""
    recording = read_recording(find(arguments))
    if arguments.format == "pcap":
        _export_pcap(recording, arguments.output)
        return os.EX_OK
    text = _exported_channels if has_channels(recording) else _exported
    with nullcontext(sys.stdout) if arguments.output is None else arguments.output.open("w", newline="") as file:
        for line in text(recording, arguments):
            file.write(line)
    return os.EX_OK


def _exported(recording: Recording, arguments: argparse.Namespace) -> Iterator[str]:
    steps, prompt = transcript(recording), prompt_of(recording.header)
    if arguments.format == "asciicast":
        yield from _ended(asciicast(recording.header, steps, prompt, arguments.idle_limit))
    elif arguments.format == "json":
        yield from _ended(json.dumps(value) for value in ({"header": recording.header}, *map(step_json, steps)))
    else:
        yield from (render(step, prompt, colour=False) for step in steps)


def _exported_channels(recording: Recording, arguments: argparse.Namespace) -> Iterator[str]:
    shown = _chosen(recording, arguments)
    if arguments.format == "asciicast":
        if len(shown) != 1:
            numbers = ", ".join(str(channel.number) for channel in shown) or "none"
            raise FileError(
                Location(str(arguments.recording)), f"it has channels {numbers}", "choose one with --channel"
            )
        yield from _ended(channel_cast(recording.header, shown[0], arguments.idle_limit))
    elif arguments.format == "json":
        yield from _ended(json.dumps(value) for value in ({"header": recording.header}, *map(channel_json, shown)))
    else:
        yield from (text for _, text in played(shown, False, arguments.idle_limit))


def _export_pcap(recording: Recording, output: Path | None) -> None:
    from hostagent.recording.pcap import write_pcap  # here: other verbs need no packet library

    if output is None and sys.stdout.isatty():
        raise FileError(Location("standard output"), "it is a terminal", "write packets to a file with -o")
    with nullcontext(sys.stdout.buffer) if output is None else output.open("wb") as file:
        write_pcap(recording, file)


def _ended(texts: Iterable[str]) -> Iterator[str]:
    return (text + "\n" for text in texts)


def _whole(recording: Recording) -> Json:
    if has_channels(recording):
        return {"channels": [channel_json(channel) for channel in channels(recording)]}
    return {"steps": [step_json(step) for step in transcript(recording)]}


def _chosen(recording: Recording, arguments: argparse.Namespace) -> list[Channel]:
    """The channels that are asked for. Raises FileError."""
    found = channels(recording)
    if arguments.channel is None:
        return found
    chosen = [channel for channel in found if channel.number == arguments.channel]
    if not chosen:
        raise FileError(Location(str(arguments.recording)), f"it has no channel {arguments.channel}")
    return chosen


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
    colour, prompt = _coloured(), prompt_of(recording.header)
    shown = ((at, render(step, prompt, colour)) for at, step in timed(transcript(recording), idle_limit))
    _print_timed(shown, speed)


def _print_timed(shown: Iterable[tuple[float, str]], speed: float) -> None:
    now = 0.0
    for at, text in shown:
        if at > now:
            time.sleep((at - now) / speed)
            now = at
        print(text, end="", flush=True)


def _coloured() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _add_idle_limit(parser: argparse.ArgumentParser, default: float) -> None:
    options = ("--idle-limit", "--max-wait")
    parser.add_argument(*options, type=_positive, default=default, metavar="SECONDS", help="longest pause")


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
