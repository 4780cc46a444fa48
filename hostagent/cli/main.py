"""`hostagent`: one parser tree, one file a verb.

Exit codes: 0 yes, 1 a negative answer (a check failed, a request would be denied), 2 wrong usage, and sysexits.h for
the rest: 65 a file is wrong, 69 no daemon or it refuses, 77 no permission.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import hostagent
from hostagent.cli import approvals, audit, ca, doctor, events, policy, run, sessions, status, support, teardown
from hostagent.cli.output import print_error, print_host_error
from hostagent.errors import FileError, HostError

_VERBS = (status, doctor, run, policy, approvals, events, sessions, audit, ca, support, teardown)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments = parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except FileError as error:
        print_error(str(error))
        return os.EX_DATAERR
    except HostError as error:
        print_host_error(error)
        return os.EX_UNAVAILABLE
    except PermissionError as error:
        print_error(f"{error.filename}: permission denied", "use sudo")
        return os.EX_NOPERM
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at its end
        return 128 + 13
    except KeyboardInterrupt:
        return 128 + 2
    return code


def parser() -> argparse.ArgumentParser:
    """The whole parser tree."""
    root = argparse.ArgumentParser(
        prog="hostagent", description="Intercepts, attributes, decides and records the egress of governed processes."
    )
    root.add_argument("--socket", type=Path, help="control socket of the daemon (default: /run/hostagent/control.sock)")
    verbs = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in _VERBS:
        verb.register(verbs)
    version = verbs.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    return root


def _version(_: argparse.Namespace) -> int:
    print(f"hostagent {hostagent.__version__}")
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
