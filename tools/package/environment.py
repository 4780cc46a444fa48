"""The virtual environment of the package: the interpreter of the host, and exactly what hostagent needs at run time.

The distributions come from the checkout's own environment, which pip filled with `--require-hashes` from
requirements.lock. Every file is checked against its distribution's RECORD, every version against the lock, so that
what is packaged is what was locked and tested. Left out: tests, sources of extension modules, type stubs, caches.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackagePath, distribution
from pathlib import PurePosixPath

from packaging.requirements import Requirement

from tools.package.description import ROOT

HOME = PurePosixPath("usr/lib/hostagent")
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = HOME / "lib" / PYTHON / "site-packages"
INTERPRETER = f"/usr/bin/{PYTHON}"
CONFIGURATION = f"""\
home = /usr/bin
include-system-site-packages = false
version = {sys.version_info.major}.{sys.version_info.minor}
executable = {INTERPRETER}
"""
_NOT_FOLDERS = {"__pycache__", "test", "tests"}
_NOT_SUFFIXES = {".pyc", ".pyi", ".pyx", ".pxd", ".c", ".h", ".a"}
_KEPT_METADATA = {"METADATA"}  # the versions of what is bundled, for those who look for vulnerable ones
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def program(module: str) -> str:
    """An entry point, run by the packaged environment alone (-I): nothing of the caller's environment is imported."""
    return f"#!/{HOME}/bin/python -I\nimport sys\n\nfrom {module} import main\n\nsys.exit(main())\n"


def distributions() -> list[Distribution]:
    """What hostagent needs at run time, by name. Raises ValueError when one is not what the lock says."""
    found: dict[str, Distribution] = {}
    waiting = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        wanted = distribution(requirement.name)
        name = plain(wanted.metadata["Name"])
        if name not in found:
            found[name] = wanted
            waiting += wanted.requires or []
    _require_locked(found)
    return [found[name] for name in sorted(found)]


def plain(name: str) -> str:
    """A distribution's name as the lock writes it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def files(wanted: Distribution) -> Iterator[tuple[PackagePath, bytes]]:
    """The files of one distribution that are packaged. Raises ValueError when one is not what was installed."""
    for path in wanted.files or []:
        if not _is_packaged(path):
            continue
        content = path.locate().read_bytes()
        if path.hash is not None:
            digest = base64.urlsafe_b64encode(hashlib.new(path.hash.mode, content).digest()).rstrip(b"=").decode()
            if digest != path.hash.value:
                raise ValueError(f"{path} of {wanted.metadata['Name']} is not the file that was installed")
        yield path, content


def licence_files(wanted: Distribution) -> list[PackagePath]:
    """The texts that a distribution's licence asks to be kept with it."""
    said = re.compile(r"(^|/)(LICEN[CS]E|COPYING|NOTICE|AUTHORS|THIRD-PARTY)[^/]*$", re.IGNORECASE)
    return sorted(path for path in wanted.files or [] if ".dist-info/" in str(path) and said.search(str(path)))


def _is_packaged(path: PackagePath) -> bool:
    if path.is_absolute() or ".." in path.parts or _NOT_FOLDERS & set(path.parts) or path.suffix in _NOT_SUFFIXES:
        return False
    return not path.parts[0].endswith(".dist-info") or path.name in _KEPT_METADATA


def _require_locked(found: dict[str, Distribution]) -> None:
    locked: dict[str, set[str]] = {}
    for name, version in _LOCKED.findall((ROOT / "requirements.lock").read_text()):
        locked.setdefault(plain(name), set()).add(version)
    for name, wanted in found.items():
        if wanted.version not in locked.get(name, ()):
            raise ValueError(f"{name} {wanted.version} is installed, which is not what requirements.lock says")
