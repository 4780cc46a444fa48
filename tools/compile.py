"""Compiles the modules that every query passes through with mypyc, beside their sources; nothing when they are current.

    .venv/bin/python tools/compile.py [--remove]

The same sources run uncompiled: `HOSTAGENT_PLAIN=1` makes the tests do so. What a compiled module does not have:
another module's functions replaced at run time, attributes that its classes do not declare, subclasses made elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "compiled"
STAMP = BUILD / "made-from"
GROUP = "hostagent_compiled"  # all in one library: calls between its modules are direct
SITE = Path(sysconfig.get_path("platlib"))
MODULES = (
    *(f"content/{name}" for name in ("checks", "detector", "patterns")),
    "values/decision",
    "protocols/base",
    "protocols/inbox",
    *(
        f"protocols/postgres/{name}"
        for name in (
            "asked", "backend", "conversation", "denial", "frontend",
            "lookup", "messages", "naming", "net", "passage", "questions", "queue", "sealed", "session", "settings",
        )
    ),
    *(f"recording/{name}" for name in ("capture", "chain", "encode", "event", "journal")),
    *(f"runtime/{name}" for name in ("flow", "gate", "leg", "memory", "tls", "standing", "tallies", "tape")),
    *(
        f"protocols/mysql/{name}"
        for name in (
            "backend", "conversation", "decider", "denial", "frontend", "net", "packets", "passage", "question",
            "results", "row_reader", "rows", "sealed", "session", "settings", "statements", "upload",
        )
    ),
    "runtime/ssh/session",
    "sql/template",
)  # fmt: skip


def main() -> int:
    """Compile what is out of date."""
    if "--remove" in sys.argv[1:]:
        _remove()
        return 0
    if current():
        return 0
    print(f"setup: compiling {len(MODULES)} modules")
    _remove()
    _build()
    STAMP.write_text(made_from())
    return 0


def current() -> bool:
    """Whether what is compiled was made from the sources as they are."""
    return STAMP.is_file() and STAMP.read_text() == made_from() and all(map(_library, MODULES))


def made_from() -> str:
    """What the compiled modules depend on, as one hash."""
    digest = hashlib.sha256(f"{sys.version} {version('mypy')}".encode())
    for module in MODULES:
        digest.update((ROOT / "hostagent" / f"{module}.py").read_bytes())
    return digest.hexdigest()


def _library(module: str) -> Path | None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    path = ROOT / "hostagent" / f"{module}{suffix}"
    return path if path.is_file() else None


def _remove() -> None:
    for path in [*(ROOT / "hostagent").rglob("*.so"), *SITE.glob(f"{GROUP}__mypyc*.so")]:
        path.unlink()


def _build() -> None:
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    os.chdir(ROOT)  # the names of the sources are in the libraries, for tracebacks: the same from every folder
    sources = [f"hostagent/{module}.py" for module in MODULES]
    extensions = mypycify(sources, target_dir=str(BUILD), group_name=GROUP)
    command = build_ext(Distribution({"name": "hostagent", "ext_modules": extensions}))
    command.build_lib, command.build_temp, command.parallel = str(BUILD / "lib"), str(BUILD / "temp"), 2
    command.ensure_finalized()
    command.run()
    for built in (BUILD / "lib").rglob("*.so"):
        relative = built.relative_to(BUILD / "lib")
        shutil.copy2(built, ROOT / relative if relative.parent.parts else SITE / relative)


if __name__ == "__main__":
    sys.exit(main())
