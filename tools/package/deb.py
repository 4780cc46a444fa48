"""The staged tree as a Debian package."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

from tools.package.description import Description, script
from tools.package.environment import PYTHON
from tools.package.tree import Tree

_HEAD = "#!/bin/sh\nset -e\n\n"


def build(tree: Tree, description: Description, seconds: int, out: Path, fast: bool = False) -> Path:
    """Write the .deb into `out`; its path. `fast`: hardly compressed."""
    control = tree.root / "DEBIAN"
    for name, text in _control_files(tree, description).items():
        tree.put(f"DEBIAN/{name}", text, 0o755 if text.startswith("#!") else 0o644)
    tree.seal(seconds)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{description.name}_{description.version}_amd64.deb"
    compression = ("-Zgzip", "-z1") if fast else ("-Zxz", "-z6", "--threads-max=1")
    options = ("--root-owner-group", *compression)
    command = ("dpkg-deb", "--build", *options, str(tree.root), str(path))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"SOURCE_DATE_EPOCH": str(seconds)})
    for file in control.iterdir():
        file.unlink()
    control.rmdir()
    return path


def maintainer_scripts() -> dict[str, str]:
    """preinst and so on: the parts of packaging/scripts, when Debian's policy (chapter 6) calls them."""
    upgraded = f'if [ -n "$2" ]; then\n{_indented(script("upgrade"))}fi\n'
    return {
        "postinst": _HEAD + _case("configure", script("set-up") + upgraded),
        "prerm": _HEAD + _case("remove", script("take-down")),
        "postrm": _HEAD + _case("remove", script("reload")) + _case("purge", script("forget")),
    }


def _case(action: str, text: str) -> str:
    return f'if [ "$1" = {action} ]; then\n{_indented(text)}fi\n'


def _indented(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def _control_files(tree: Tree, description: Description) -> dict[str, str]:
    files = tree.files()
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {name}\n"
        for name in files
        if not (path := tree.root / name).is_symlink() and str(name) not in description.configuration.values()
    ]
    return {
        "control": _control(tree, description),
        "conffiles": "".join(f"/{place}\n" for place in description.configuration.values()),
        "md5sums": "".join(sums),
        **maintainer_scripts(),
    }


def _control(tree: Tree, description: Description) -> str:
    size = sum((tree.root / name).lstat().st_size for name in tree.files()) // 1024
    depends = [*_libraries(tree), *_interpreter(), *description.depends["deb"]]
    long = "".join(f" {line}\n" for line in description.description.strip().splitlines())
    return (
        f"Package: {description.name}\nVersion: {description.version}\nArchitecture: amd64\n"
        f"Maintainer: {description.maintainer}\nInstalled-Size: {size}\nDepends: {', '.join(depends)}\n"
        f"Recommends: {', '.join(description.recommends['deb'])}\nSection: {description.section}\nPriority: optional\n"
        f"Description: {description.summary}\n{long}"
    )


def _interpreter() -> list[str]:
    """The interpreter is the distribution's: it gets its security updates. Extension modules fit its minor version."""
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", PYTHON], capture_output=True, text=True, check=True
    ).stdout
    upstream = re.match(r"[0-9.]+", version)
    return [f"{PYTHON} (>= {upstream.group() if upstream else version})"]


def _libraries(tree: Tree) -> list[str]:
    """The packages of the shared libraries that the extension modules are linked with, and their least versions."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "debian").mkdir()
        (Path(folder) / "debian" / "control").write_text(
            "Source: hostagent\n\nPackage: hostagent\nArchitecture: amd64\n"
        )
        libraries = sorted(map(str, tree.root.rglob("*.so")))
        command = ["dpkg-shlibdeps", "-O", "--ignore-missing-info", *(f"-e{path}" for path in libraries)]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    return [one.strip() for one in said.strip().partition("=")[2].split(",")]
