"""`hostagent approvals`: look at what waits for a human, and answer it. For root and the group hostagent-approvers.

Exit codes: 0 done, 1 the answer was not taken (it is not yours to give, was given before, or there is no such request).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from hostagent.cli.control_client import Unreachable, call, socket_path
from hostagent.cli.output import add_output, console, print_host_error, print_json, print_panel, print_table, styled
from hostagent.errors import HostError
from hostagent.policy.span import seconds, words

_COLUMNS = ("id", "state", "left", "actor", "target", "statement", "rule", "approved by")
_GRANT_COLUMNS = ("id", "until", "actor", "target", "statement", "rule", "by", "sessions")
_FOLLOW_SECONDS = 1.0


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("approvals", help="answer what waits for a human")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing: argparse.ArgumentParser = actions.add_parser("list", help="what waits, oldest first")
    listing.add_argument("-a", "--all", action="store_true", help="also what was settled of late")
    listing.add_argument("-f", "--follow", action="store_true", help="go on with what comes from now on")
    add_output(listing)
    listing.set_defaults(run=run_list)
    show = _about(actions, "show", "one request: the exact text and bound values", run_show)
    add_output(show)
    _register_approve(actions)
    deny = _about(actions, "deny", "deny a request", run_deny)
    deny.add_argument("--reason", default="", help="told to the client, and recorded")
    add_output(deny)
    grants = actions.add_parser("grants", help="windows of time in which nobody is asked")
    add_output(grants)
    grants.set_defaults(run=run_grants)
    _about(actions, "revoke", "take a grant back; the sessions that live on it end", run_revoke)


def _register_approve(actions: Any) -> None:
    approve = _about(actions, "approve", "let a request go on, once", run_approve)
    approve.add_argument("--reason", default="", help="recorded; some policies ask for it")
    approve.add_argument(
        "--for", dest="window", type=_span, metavar="SPAN", help="and others like it for so long: 15m, 1h"
    )
    approve.add_argument(
        "--any-statement",
        action="store_true",
        help="with --for: whatever the rule asks about",
    )
    add_output(approve)


def _about(actions: Any, name: str, help_text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=help_text)
    parser.add_argument("id", metavar="ID", help="as `approvals list` or `approvals grants` shows it")
    parser.set_defaults(run=run)
    return parser


def _span(text: str) -> str:
    try:
        seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def run_list(arguments: argparse.Namespace) -> int:
    """0."""
    path = socket_path(arguments.socket)
    answer = call(path, "approvals.list", all=arguments.all)
    if arguments.output == "json" and not arguments.follow:
        print_json("Approvals", answer)
    elif not arguments.follow:
        print_table(_COLUMNS, map(_cells, answer["requests"]))
    else:
        _follow(path, arguments.output == "json")
    return os.EX_OK


def run_show(arguments: argparse.Namespace) -> int:
    """0; 1 when there is no such request."""
    try:
        request = call(socket_path(arguments.socket), "approvals.show", id=arguments.id)
    except HostError as error:
        return _refused(error)
    if arguments.output == "json":
        print_json("Approval", request)
    else:
        print_panel(_facts(request))
    return os.EX_OK


def run_approve(arguments: argparse.Namespace) -> int:
    """0 when the approval was taken, 1 when not."""
    args = {"reason": arguments.reason, "for": arguments.window or "", "any_statement": arguments.any_statement}
    return _answer(arguments, "approvals.approve", args)


def run_deny(arguments: argparse.Namespace) -> int:
    """0 when it was denied, 1 when not."""
    return _answer(arguments, "approvals.deny", {"reason": arguments.reason})


def run_grants(arguments: argparse.Namespace) -> int:
    """0."""
    answer = call(socket_path(arguments.socket), "approvals.grants")
    if arguments.output == "json":
        print_json("Grants", answer)
    else:
        print_table(_GRANT_COLUMNS, map(_grant_cells, answer["grants"]))
    return os.EX_OK


def run_revoke(arguments: argparse.Namespace) -> int:
    """0 when it was revoked, 1 when there is no such grant."""
    try:
        answer = call(socket_path(arguments.socket), "approvals.revoke", id=arguments.id)
    except HostError as error:
        return _refused(error)
    print(f"{arguments.id} is revoked; sessions ended: {answer['sessions_ended']}")
    return os.EX_OK


def _answer(arguments: argparse.Namespace, operation: str, args: dict[str, Any]) -> int:
    try:
        request = call(socket_path(arguments.socket), operation, id=arguments.id, **args)
    except HostError as error:
        return _refused(error)
    if arguments.output == "json":
        print_json("Approval", request)
    else:
        missing = request["minimum"] - len(request["approved_by"])
        more = f": {missing} more must approve" if request["state"] == "waiting" else ""
        console().print(styled(f"{request['state']} {request['id']}{more}"))
    return os.EX_OK


def _refused(error: HostError) -> int:
    """The exit code of an answer that was not taken. Raises the error where no daemon answered at all."""
    if isinstance(error, Unreachable):
        raise error
    print_host_error(error)
    return 1


def _follow(path: Path, as_json: bool) -> None:
    """Print a request when it comes, and again when it is settled."""
    shown: dict[str, str] = {}
    while True:
        requests = call(path, "approvals.list", all=bool(shown))["requests"]
        for request in requests:
            key = f"{request['state']} {len(request['approved_by'])}"
            if shown.get(request["id"]) == key or (request["id"] not in shown and request["state"] != "waiting"):
                continue
            shown[request["id"]] = key
            if as_json:
                print_json("Approval", request)
            else:
                console().print(styled("  ".join(filter(None, _cells(request)))))
        known = {request["id"] for request in requests}
        shown = {request: key for request, key in shown.items() if request in known}
        sys.stdout.flush()
        time.sleep(_FOLLOW_SECONDS)


def _cells(request: dict[str, Any]) -> tuple[str, ...]:
    left = request["expires_at"] - time.time()
    return (
        request["id"],
        request["state"],
        words(left) if request["state"] == "waiting" and left > 0 else "",
        _actor(request["actor"]),
        request["target"],
        " ".join(request["text"].split()) + (f" ({request['values']} values)" if request["values"] else ""),
        ",".join(request["rules"]),
        f"{len(request['approved_by'])}/{request['minimum']} {', '.join(request['approved_by'])}".rstrip(),
    )


def _grant_cells(grant: dict[str, Any]) -> tuple[str, ...]:
    return (
        grant["id"],
        _time(grant["until"]),
        grant["actor"]["unit"] or grant["actor"]["cgroup"],
        grant["target"],
        " ".join(grant["statement"].split()) or "(any)",
        ",".join(grant["rules"]),
        ", ".join(grant["approvers"]),
        str(grant["flows"]),
    )


def _facts(request: dict[str, Any]) -> Iterator[tuple[str, object]]:
    who = request["actor"]
    yield "id", request["id"]
    yield "state", f"{request['state']} {request['reason']}".rstrip()
    yield "asked", f"{_time(request['asked_at'])}, held until {_time(request['expires_at'])}"
    yield "actor", f"{who['executable']} pid {who['pid']}, {who['user']} (uid {who['uid']}) in {who['cgroup']}"
    if who["login_uid"] is not None:
        yield "logged in", f"{who['login_user']} (uid {who['login_uid']})"
    yield "target", request["target"]
    yield "rules", ", ".join(request["rules"])
    yield request["what"], request["text"]
    for number, bound in enumerate(request["values"], 1):
        yield f"${number}", _bound(bound)
    yield "needs", _needs(request)
    for answer in request["answers"]:
        reason = f": {answer['reason']}" if answer["reason"] else ""
        yield answer["verdict"], f"{answer['approver']} at {_time(answer['at'])}{reason}"


def _needs(request: dict[str, Any]) -> str:
    longest = request["terms"]["longest_grant_seconds"]
    parts = [f"{request['minimum']} approvers", f"--for up to {words(longest)}" if longest else "no --for"]
    return ", ".join(parts + (["a reason"] if request["terms"]["reason_required"] else []))


def _bound(bound: dict[str, str]) -> str:
    if bound["form"] == "null":
        return "NULL"
    return repr(bound["value"]) if bound["form"] == "text" else f"\\x{bound['value']}{_reading(bound['value'])}"


def _reading(value: str) -> str:
    """What a binary value may mean; its type is not known here."""
    raw = bytes.fromhex(value)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable():
        return f" (as text: {text!r})"
    return f" (as an integer: {int.from_bytes(raw, 'big', signed=True)})" if len(raw) in (2, 4, 8) else ""


def _actor(actor: dict[str, Any]) -> str:
    return f"{actor['user'] or actor['uid']} {actor['unit'] or actor['cgroup']}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
