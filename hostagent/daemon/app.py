"""`hostagentd`: reads its files, checks its host, and runs the service; or takes down what an instance left.

Exit codes are sysexits.h: 0 stopped as asked, 3 taken down as asked, 69 the host lacks something or something is taken,
77 not root, 78 an operator's file is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import hostagent
from hostagent.daemon import log
from hostagent.daemon.checks import (
    CannotStart,
    require_features,
    require_own_listeners,
    require_root,
)
from hostagent.daemon.config import DEFAULT_FILE, Config, load_config
from hostagent.daemon.governing import remove
from hostagent.daemon.notify import Notifier, inherited_sockets
from hostagent.daemon.places import Places, delegated_cgroup
from hostagent.daemon.service import Service
from hostagent.errors import FileError, HostError
from hostagent.intake.listener import transparent_listeners
from hostagent.kernel.cgroups import find_cgroup2_root
from hostagent.kernel.hooks import PINS
from hostagent.kernel.probe import missing
from hostagent.policy.load import load_policy

OBJECTS = Path("/usr/lib/hostagent/bpf")  # where a package puts the BPF objects; a checkout has them in bpf/build


TORN_DOWN = 3  # exit code after `hostagent teardown`: the unit does not restart it (RestartPreventExitStatus=)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon, or one of its errands; the exit code."""
    arguments = parser().parse_args(argv)
    log.set_up()
    try:
        require_root()
        return _ERRANDS[arguments.errand](arguments)
    except BaseExceptionGroup as group:
        return _explained(_first(group))
    except (FileError, HostError, OSError) as error:
        return _explained(error)


def parser() -> argparse.ArgumentParser:
    """What it can be told."""
    root = argparse.ArgumentParser(prog="hostagentd", description="The hostagent daemon.")
    root.add_argument("--config", type=Path, default=DEFAULT_FILE, help=f"configuration file (default {DEFAULT_FILE})")
    root.add_argument("--bpf", type=Path, help="directory of the BPF objects")
    root.add_argument("--remove", action="store_true", help="leave nothing behind when it stops (demo and tests)")
    root.add_argument("--version", action="version", version=f"hostagentd {hostagent.__version__}")
    help_text = "run (default); check: read the files and stop; teardown: remove what a stopped instance left"
    root.add_argument("errand", nargs="?", choices=tuple(_ERRANDS), default="run", help=help_text)
    return root


def _run(arguments: argparse.Namespace) -> int:
    config = load_config(arguments.config)
    places = _places(config)
    require_features([(check.name, check.evidence, check.fix) for check in missing()])
    inherited = inherited_sockets()
    listeners = _listeners(config, inherited)
    objects = _objects(arguments.bpf)
    service = Service(config, arguments.config, places, Notifier.from_environment(), objects)
    service.remove_at_stop = arguments.remove
    bound = service.bind(listeners, inherited=bool(inherited))
    standing = (PINS / config.instance).exists()
    try:
        service.begin()
        asyncio.run(service.run(bound))
    except BaseException:
        if service.state == "starting" and not standing:
            _remove(config, places, objects)  # nothing of this instance was in force before, and nothing came to be
        raise
    if service.remove_at_stop:
        _remove(config, places, objects)
    return TORN_DOWN if service.torn_down else os.EX_OK


def _check(arguments: argparse.Namespace) -> int:
    config = load_config(arguments.config)
    policy = load_policy(config.policy_directory)
    log.info("configuration_good", instance=config.instance, policy=policy.version)
    return os.EX_OK


def _teardown(arguments: argparse.Namespace) -> int:
    config = load_config(arguments.config)
    _remove(config, _places(config), _objects(arguments.bpf))
    log.info("removed", instance=config.instance)
    return os.EX_OK


_ERRANDS = {"run": _run, "check": _check, "teardown": _teardown}


def _places(config: Config) -> Places:
    return Places(config.instance, find_cgroup2_root(), delegated_cgroup())


def _listeners(config: Config, inherited: list[socket.socket]) -> tuple[socket.socket, ...]:
    if inherited:
        require_own_listeners(config, inherited)
        return tuple(inherited)
    return transparent_listeners(config.port)


def _objects(given: Path | None) -> Path:
    checkout = Path(hostagent.__file__).parent.parent / "bpf" / "build"
    found = given or (checkout if checkout.is_dir() else OBJECTS)
    if not found.is_dir():
        raise CannotStart(os.EX_UNAVAILABLE, f"no BPF objects in {found}", "make -C bpf, or give --bpf")
    return found


def _remove(config: Config, places: Places, objects: Path) -> None:
    """Remove all that this instance set up; nothing that it did not."""
    remove(config, objects)
    places.leave()
    places.remove()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The fault that ended the tree of tasks."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _explained(error: BaseException) -> int:
    """Say one error clearly, and choose its exit code. Raises what is no error of the host or its files."""
    if not isinstance(error, (FileError, HostError, OSError)):
        raise error
    print(f"hostagentd: {error}", file=sys.stderr)
    if isinstance(error, CannotStart):
        return error.code
    return os.EX_CONFIG if isinstance(error, FileError) else os.EX_UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main())
