"""`hostagent policy`: check, test, explain, replay and print the schema without a daemon; reload asks the daemon.

Exit codes: 0 yes, 1 a negative answer (a case failed, the statement would be denied), 2 usage, 65 a file is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostagent.cli import policy_replay, policy_suggest
from hostagent.cli.control_client import call, socket_path
from hostagent.cli.output import add_output, console, print_error, print_json, print_table, styled
from hostagent.errors import FileError, Location
from hostagent.ssh.operation import SshKind
from hostagent.values.actor import Actor

if TYPE_CHECKING:
    from hostagent.policy.cases import CaseFile, Report
    from hostagent.policy.explain import Explanation, RuleAnswer
    from hostagent.policy.model import Policy

DEFAULT_DIRECTORY = Path("/etc/hostagent/policies.d")
KINDS = sorted(kind.value for kind in SshKind if kind is not SshKind.EXEC)
MAX_ACTOR_FILE = 1 << 20  # bytes; an actor with the longest command line is a tenth of it


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("policy", help="check, test, explain and reload the policy")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _register_check(actions)
    _register_test(actions)
    _register_explain(actions)
    schema = actions.add_parser("schema", help="print the JSON Schema of policy files")
    schema.add_argument("--cases", action="store_true", help="of *.cases.yaml files instead")
    schema.set_defaults(run=run_schema)
    policy_suggest.register(actions)
    policy_replay.register(actions)
    reload = actions.add_parser("reload", help="make the daemon read its policy files again")
    reload.set_defaults(run=run_reload)


def _register_check(actions: Any) -> None:
    check: argparse.ArgumentParser = actions.add_parser("check", help="say whether policy files are right")
    check.add_argument("path", type=Path, nargs="?", default=DEFAULT_DIRECTORY, help="directory or file")
    add_output(check)
    check.set_defaults(run=run_check)


def _register_test(actions: Any) -> None:
    test: argparse.ArgumentParser = actions.add_parser("test", help="run *.cases.yaml files against a policy")
    test.add_argument("cases", type=Path, nargs="+", help="case files, or directories of them")
    test.add_argument("--policy", type=Path, help="policy directory or file (default: the one that a case file names)")
    test.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML too")
    add_output(test)
    test.set_defaults(run=run_test)


def _register_explain(actions: Any) -> None:
    explain: argparse.ArgumentParser = actions.add_parser(
        "explain", help="say why a statement or an SSH operation is decided as it is"
    )
    explain.add_argument("--policy", type=Path, default=DEFAULT_DIRECTORY, help="policy directory or file")
    explain.add_argument(
        "--actor", action="append", default=[], metavar="CLASS", help="class that the actor is in; may be repeated"
    )
    explain.add_argument("--actor-file", type=Path, metavar="FILE", help="or an actor as JSON, as events show it")
    explain.add_argument("--target", required=True, help="name of a target")
    explain.add_argument(
        "--schemas", default="public", metavar="A,B", help="where unqualified names resolve; `?` when it is not known"
    )
    explain.add_argument("text", metavar="TEXT", nargs="?", help="the SQL or, to an SSH target, the command line")
    ssh = explain.add_argument_group("SSH")
    ssh.add_argument("--login", metavar="NAME", default="", help="login name (default: the one of the credential)")
    ssh.add_argument("--kind", choices=KINDS, metavar="KIND", help="instead of a command: sftp_read, forward_local …")
    ssh.add_argument("--path", action="append", default=[], help="path that it names; may be repeated")
    ssh.add_argument("--below", action="store_true", help="also all below these paths")
    ssh.add_argument("--destination", default="", metavar="HOST:PORT", help="of a forward")
    ssh.add_argument("--name", default="", help="of an environment variable, subsystem or extension")
    add_output(explain)
    explain.set_defaults(run=run_explain)


def run_check(arguments: argparse.Namespace) -> int:
    """0 when the files are right, 65 with every error when not. Warnings change nothing."""
    from hostagent.policy.lint import warnings
    from hostagent.policy.load import load_policy
    from hostagent.policy.locate import place_of

    try:
        policy = load_policy(arguments.path)
    except FileError as error:
        return _bad_file(error)
    if arguments.output == "json":
        found = [{"rule": rule, "warning": text} for rule, text in warnings(policy)]
        facts = {"version": policy.version, "mode": policy.mode, "rules": len(policy.rules), "warnings": found}
        print_json("PolicyCheck", facts)
    else:
        for rule, text in warnings(policy):
            print(f"WARN {place_of(arguments.path, 'rules', rule)}: rule {rule}: {text}")
        print(f"OK: policy {policy.version}, mode {policy.mode}, {_sizes(policy)}")
    return os.EX_OK


def run_test(arguments: argparse.Namespace) -> int:
    """0 when every case passed, 1 when one failed, 65 for a file that is wrong."""
    from hostagent.policy.cases import junit, run_cases

    try:
        groups = _case_groups(arguments.cases, arguments.policy)
    except FileError as error:
        return _bad_file(error)
    reports = [run_cases(policy, files) for policy, files in groups]
    if arguments.junit:
        arguments.junit.write_text(junit(reports), encoding="utf-8")
    if arguments.output == "json":
        print_json("PolicyTest", _reports_json(reports))
    else:
        _print_reports(reports)
    return 1 if any(report.failed for report in reports) else os.EX_OK


def run_explain(arguments: argparse.Namespace) -> int:
    """0 when it would be let through, 1 when it would be denied."""
    from hostagent.policy.load import load_policy
    from hostagent.policy.match import actor_classes

    try:
        policy = load_policy(arguments.policy)
        actors = frozenset(arguments.actor)
        if arguments.actor_file:
            actors |= actor_classes(policy, _actor(arguments.actor_file))
    except FileError as error:
        return _bad_file(error)
    wrong = _unknown(policy, frozenset(arguments.actor), arguments.target) or _misused(policy, arguments)
    if wrong:
        print_error(wrong)
        return 2
    explanation = _explanation(policy, actors, arguments)
    if arguments.output == "json":
        print_json("PolicyExplanation", {"actors": sorted(actors), **explanation.to_json()})
    else:
        _print_explanation(explanation)
        if not actors:
            console().print(styled("the actor is in no class: only rules for * speak of it"))
    return os.EX_OK if explanation.ruling.verdict.forwards else 1


def _over_ssh(policy: Policy, target: str) -> bool:
    return any(entry.name == target and entry.protocol == "ssh" for entry in policy.targets)


def _misused(policy: Policy, arguments: argparse.Namespace) -> str:
    """What is wrong with the words that say what is asked for, or nothing."""
    given = [name for name in ("login", "kind", "path", "below", "destination", "name") if getattr(arguments, name)]
    if not _over_ssh(policy, arguments.target):
        if given:
            return f"--{given[0]} is for SSH, which target {arguments.target} does not speak"
        return "" if arguments.text is not None else "SQL is needed: the text that the client sends"
    if (arguments.text is None) == (arguments.kind is None):
        return "a command line is needed, or --kind"
    return f"--{given[-1]} goes with --kind" if arguments.kind is None and set(given) - {"login"} else ""


def _explanation(policy: Policy, actors: frozenset[str], arguments: argparse.Namespace) -> Explanation:
    from hostagent.policy.cases import SshRequest
    from hostagent.policy.dialect import dialect_of
    from hostagent.policy.explain import explain
    from hostagent.policy.explain_ssh import explain_operation
    from hostagent.policy.ssh import own_login
    from hostagent.ssh.exec import operations_of_exec

    target = arguments.target
    if not _over_ssh(policy, target):
        schemas = None if arguments.schemas == "?" else tuple(filter(None, arguments.schemas.split(",")))
        dialect = dialect_of(policy, target, schemas)
        return explain(policy, actors, target, dialect.analyze(arguments.text), schemas, dialect.harmless)
    login = arguments.login or own_login(policy, target) or "?"
    if arguments.kind is None:
        return explain_operation(policy, actors, target, operations_of_exec(arguments.text, login)[0])
    request = SshRequest(
        login=login,
        exec=None,
        kind=SshKind(arguments.kind),
        paths=tuple(arguments.path),
        below=arguments.below,
        destination=arguments.destination,
        name=arguments.name,
    )
    return explain_operation(policy, actors, target, request.operation())


def run_schema(arguments: argparse.Namespace) -> int:
    """Print a schema."""
    from hostagent.policy.schema import cases_schema, policy_schema, schema_text

    print(schema_text(cases_schema() if arguments.cases else policy_schema()), end="")
    return os.EX_OK


def run_reload(arguments: argparse.Namespace) -> int:
    """0 when a policy took force. Raises HostError, with the file's errors, when the last good policy stays."""
    print(f"policy {call(socket_path(arguments.socket), 'policy.reload')['version']} is in force")
    return os.EX_OK


def _case_groups(
    paths: list[Path], policy_path: Path | None
) -> list[tuple[Policy, list[tuple[CaseFile, tuple[str, ...]]]]]:
    """Case files by the policy that they are for. Raises FileError."""
    from hostagent.policy.cases import load_cases
    from hostagent.policy.load import load_policy

    files = [f for path in paths for f in (sorted(path.glob("*.cases.yaml")) if path.is_dir() else [path])]
    if not files:
        raise FileError(Location(str(paths[0])), "no *.cases.yaml file here")
    groups: dict[Path, tuple[Policy, list[tuple[CaseFile, tuple[str, ...]]]]] = {}
    for file in files:
        named = load_cases(file)[0].policy
        directory = policy_path or (file.parent / named if named else DEFAULT_DIRECTORY)
        if directory not in groups:
            groups[directory] = (load_policy(directory), [])
        policy, members = groups[directory]
        members.append(load_cases(file, policy))
    return list(groups.values())


def _actor(file: Path) -> Actor:
    where = Location(str(file))
    try:
        with file.open("rb") as stream:
            return Actor.from_json(json.loads(stream.read(MAX_ACTOR_FILE)))
    except OSError as error:
        raise FileError(where, f"cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise FileError(Location(str(file), error.lineno, error.colno), f"not JSON: {error.msg}") from None
    except (KeyError, TypeError, ValueError, RecursionError):
        raise FileError(where, "not an actor", "take the `actor` of an event: hostagent events -o json") from None


def _unknown(policy: Policy, actors: frozenset[str], target: str) -> str:
    known = {entry.name for entry in policy.actors}
    if missing := sorted(actors - known):
        return f"unknown class of actors {missing[0]}; the policy has: {', '.join(sorted(known)) or 'none'}"
    targets = sorted(entry.name for entry in policy.targets)
    return "" if target in targets else f"unknown target {target}; the policy has: {', '.join(targets) or 'none'}"


def _bad_file(error: FileError) -> int:
    print(error, file=sys.stderr)
    return os.EX_DATAERR


def _sizes(policy: Policy) -> str:
    counts = ("actors", "targets", "credentials", "rules", "limits")
    return ", ".join(f"{len(getattr(policy, name))} {name}" for name in counts)


def _reports_json(reports: list[Report]) -> dict[str, Any]:
    return {
        "passed": sum(len(report.results) - len(report.failed) for report in reports),
        "total": sum(len(report.results) for report in reports),
        "failures": [
            {"case": r.case.name, "where": r.where, "failure": r.failure} for report in reports for r in report.failed
        ],
        "unused_rules": [rule for report in reports for rule in report.unused],
    }


def _print_reports(reports: list[Report]) -> None:
    for report in reports:
        for result in report.failed:
            console().print(styled(f"FAIL {result.where}: {result.case.name}"))
            console().print(styled(f"  {result.failure}"))
            _print_explanation(result.explanation)
    total = sum(len(report.results) for report in reports)
    passed = total - sum(len(report.failed) for report in reports)
    console().print(styled(f"{'PASS' if passed == total else 'FAIL'} {passed}/{total}"))
    for rule in (rule for report in reports for rule in report.unused):
        console().print(styled(f"WARN no case is answered by rule {rule}"))


def _print_explanation(explanation: Explanation) -> None:
    for number, statement in enumerate(explanation.statements, 1):
        parts = {
            "kinds": statement.kinds,
            "relations": statement.relations,
            "functions": statement.functions,
            "settings": statement.settings,
        }
        facts = "; ".join(f"{name} {', '.join(values)}" for name, values in parts.items() if values)
        console().print(styled(f"statement {number}: {facts}"))
        _print_answers(statement.rules)
    if (asked := explanation.operation) is not None:
        named = (*asked.commands, *asked.paths, asked.destination, asked.name)
        facts = "; ".join(filter(None, named)) or asked.unparsed
        console().print(styled(f"{asked.kind} as {asked.login}{': ' if facts else ''}{facts}"))
        _print_answers(asked.rules)
    ruling = explanation.ruling
    by = f" by rule {ruling.rule}" if ruling.rule else ""
    because = f": {ruling.reason}" if ruling.reason else ""
    console().print(styled(f"{ruling.verdict}{by}{because}"))
    if explanation.limits:
        console().print(styled(f"counted by limit {', '.join(explanation.limits)}"))


def _print_answers(answers: tuple[RuleAnswer, ...]) -> None:
    rows = [(a.rule, a.effect, "yes" if a.matched else "no", a.because) for a in answers]
    print_table(("rule", "effect", "matched", "because"), rows)
