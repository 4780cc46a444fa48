"""`hostagent ca`: the certificate that clients have to trust, and who on this host does.

    hostagent ca [--ssh]                                prints it (PEM; the SSH CA's public key)
    hostagent ca install   [--system] [--ssh-known-hosts FILE] [--environment DIR]
    hostagent ca uninstall [--system] [--ssh-known-hosts FILE] [--environment DIR]
    hostagent ca status    [--environment DIR] [-o json]      asks each runtime; 1 when one does not trust it

--system is the trust store of the distribution and, where SSH clients are, /etc/ssh/ssh_known_hosts.

The key never leaves the daemon. `--certificate FILE` goes without one, as in the making of an image.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
from pathlib import Path
from typing import Any

from hostagent.cli.control_client import call, socket_path
from hostagent.cli.output import add_output, print_json, print_table
from hostagent.errors import FileError, HostError, Location
from hostagent.pki import environment, ssh_known_hosts
from hostagent.pki.system_store import system_store
from hostagent.pki.trust_probe import Finding, findings, plain_environment

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,23}")
_WORDS = {True: "PASS", False: "FAIL", None: "-"}
_BEGIN = "-----BEGIN CERTIFICATE-----"


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("ca", help="the host CA: print, install, status, uninstall")
    parser.add_argument("--ssh", action="store_true", help="print the public key of the SSH CA")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    install = actions.add_parser("install", help="make this host trust it (root)")
    _add_places(install)
    install.add_argument("--certificate", type=Path, help="PEM file of the CA, instead of asking the daemon")
    install.set_defaults(run=run_install)
    uninstall = actions.add_parser("uninstall", help="take it out again (root)")
    _add_places(uninstall)
    uninstall.set_defaults(run=run_uninstall)
    status = actions.add_parser("status", help="ask each runtime of this host whether it trusts it (root)")
    status.add_argument("--environment", type=Path, metavar="DIR", help="ask under the environment that stands there")
    add_output(status)
    status.set_defaults(run=run_status)


def run(arguments: argparse.Namespace) -> int:
    """Print the certificate, or the public key of the SSH CA."""
    if arguments.ssh:
        print(_ssh_key(arguments))
    else:
        print(_certificate(arguments), end="")
    return os.EX_OK


def run_install(arguments: argparse.Namespace) -> int:
    """Put it into the places that are named; 0, also when it is there already."""
    _require_place(arguments)
    given: Path | None = arguments.certificate
    pem = _certificate(arguments) if given is None else _read(given)
    if arguments.system:
        store = system_store()
        changed = store.install(arguments.name, pem)
        print(f"{'installed' if changed else 'was installed already'}: {store.file(arguments.name)}")
    for file in _known_hosts(arguments) if given is None else ():
        changed = ssh_known_hosts.install(file, arguments.name, _ssh_key(arguments))
        print(f"{'installed' if changed else 'was installed already'}: {file}")
    if arguments.environment is not None:
        changed = environment.install(arguments.environment, pem)
        file = arguments.environment / environment.VARIABLES
        print(f"{'written' if changed else 'was written already'}: {file}")
    return os.EX_OK


def run_uninstall(arguments: argparse.Namespace) -> int:
    """Take it out of the places that are named; 0, also when it is not there."""
    _require_place(arguments)
    if arguments.system:
        store = system_store()
        changed = store.uninstall(arguments.name)
        print(f"{'removed' if changed else 'was not there'}: {store.file(arguments.name)}")
    for file in _known_hosts(arguments):
        changed = ssh_known_hosts.uninstall(file, arguments.name)
        print(f"{'removed' if changed else 'was not there'}: {file}")
    if arguments.environment is not None:
        changed = environment.uninstall(arguments.environment)
        print(f"{'removed' if changed else 'was not there'}: {arguments.environment}")
    return os.EX_OK


def run_status(arguments: argparse.Namespace) -> int:
    """0 when every runtime of this host trusts it, else 1."""
    probe = call(socket_path(arguments.socket), "ca.probe")
    given: Path | None = arguments.environment
    variables = plain_environment() | (environment.read_variables(given) if given is not None else {})
    found = findings(probe["certificate"], probe["chain_pem"], probe["key_pem"], variables)
    if ssh := probe.get("ssh_public_key"):
        found.append(_ssh_finding(ssh_known_hosts.SYSTEM_FILE, ssh))
    if arguments.output == "json":
        permitted = probe["permitted"]
        runtimes = [{"runtime": f.runtime, "trusts": f.trusts, "evidence": f.evidence} for f in found]
        print_json("CaStatus", {"permitted": permitted, "runtimes": runtimes})
    else:
        print_table(("runtime", "trusts", "evidence"), ((f.runtime, _WORDS[f.trusts], _evidence(f)) for f in found))
    return os.EX_OK if all(f.trusts is not False for f in found) else 1


def _evidence(finding: Finding) -> str:
    fix = "" if finding.trusts is not False else f"\nfix: {_FIXES.get(finding.runtime, _INSTALL)}"
    return finding.evidence + fix


def _ssh_finding(file: Path, public_key: str) -> Finding:
    if shutil.which("ssh") is None:
        return Finding("ssh", None, "not installed")
    trusts = ssh_known_hosts.trusts(file, public_key)
    return Finding("ssh", trusts, f"{file} {'has' if trusts else 'lacks'} the line of the SSH CA")


_INSTALL = "hostagent ca install --system, or --environment DIR and run it with that file"
_FIXES = dict.fromkeys(("python requests", "node", "libpq"), "hostagent ca install --environment DIR, and use its file")


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--system", action="store_true", help="the trust store of the distribution")
    parser.add_argument(
        "--environment", type=Path, metavar="DIR", help="a directory with a bundle and an environment file"
    )
    parser.add_argument("--ssh-known-hosts", type=Path, metavar="FILE", help="a known_hosts file that SSH clients read")
    parser.add_argument("--name", type=_name, default="hostagent", help="of the file in the system's store")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("lower-case letters, digits, - and _")
    return text


def _require_place(arguments: argparse.Namespace) -> None:
    if not arguments.system and arguments.environment is None and arguments.ssh_known_hosts is None:
        raise HostError("nothing is named to do it to", "give --system, --environment DIR, or both")


def _known_hosts(arguments: argparse.Namespace) -> list[Path]:
    """The known_hosts files that are meant: the one that is named, and the system's where there are SSH clients."""
    given: Path | None = arguments.ssh_known_hosts
    system = [ssh_known_hosts.SYSTEM_FILE] if arguments.system and ssh_known_hosts.SYSTEM_FILE.parent.is_dir() else []
    return system if given is None else [given]


def _ssh_key(arguments: argparse.Namespace) -> str:
    key: str = call(socket_path(arguments.socket), "ca")["ssh_public_key"]
    return key


def _certificate(arguments: argparse.Namespace) -> str:
    pem: str = call(socket_path(arguments.socket), "ca")["certificate"]
    return pem


def _read(file: Path) -> str:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(Location(str(file)), f"the certificate cannot be read: {error}") from None
    if text.count(_BEGIN) != 1 or "PRIVATE KEY" in text:
        raise FileError(Location(str(file)), "not one PEM certificate", "give the file that `hostagent ca` printed")
    return text
