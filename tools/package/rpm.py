"""The staged tree as an RPM package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.package.description import Description, script
from tools.package.environment import HOME, INTERPRETER
from tools.package.tree import Tree

# What rpmbuild does to a tree by itself (stripping, compiling, mangling) is done, or not wanted; nothing of the time
# or the host of the build goes in.
_MACROS = """\
%global __os_install_post %{nil}
%global debug_package %{nil}
%global _build_id_links none
%global _buildhost localhost
%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
%global __pythondist_requires %{nil}
%global __pythonname_requires %{nil}
"""


def build(tree: Tree, description: Description, seconds: int, out: Path, fast: bool = False) -> Path:
    """Write the .rpm into `out`; its path. `fast`: hardly compressed."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        (top / "hostagent.spec").write_text(spec(tree, description))
        payload = "w1.gzdio" if fast else "w9.zstdio"
        defines = [
            "--define",
            f"_binary_payload {payload}",
            "--define",
            f"_topdir {top}",
            "--define",
            f"_rpmdir {top}/out",
            "--define",
            f"_dbpath {top}/db",
        ]
        command = ("rpmbuild", "-bb", "--quiet", "--target", "x86_64", *defines, str(top / "hostagent.spec"))
        subprocess.run(command, check=True, env=os.environ | {"SOURCE_DATE_EPOCH": str(seconds), "TZ": "UTC"})
        built = next((top / "out").rglob("*.rpm"))
        path = out / f"{description.name}-{description.version}.x86_64.rpm"
        shutil.copyfile(built, path)
    return path


def scriptlets() -> dict[str, str]:
    """%post and so on: the same parts; $1 is how many of the package there will be. RPM knows no purge: what was
    configured and recorded stays."""
    return {
        "post": f'{script("set-up")}if [ "$1" -gt 1 ]; then\n{script("upgrade")}fi\n',
        "preun": f'if [ "$1" -eq 0 ]; then\n{script("take-down")}fi\n',
        "postun": f'if [ "$1" -eq 0 ]; then\n{script("reload")}fi\n',
    }


def spec(tree: Tree, description: Description) -> str:
    """The spec file of a tree that is staged already."""
    requires = [INTERPRETER, *description.depends["rpm"]]
    head = {
        "Name": description.name,
        "Version": description.version,
        "Release": "1",
        "Summary": description.summary,
        "License": description.licence,
        "Group": description.group,
        "Packager": description.maintainer,
        "AutoProv": "no",
    }
    lines = [_MACROS, *(f"{key}: {value}\n" for key, value in head.items())]
    lines += [f"Requires: {one}\n" for one in requires]
    lines += [f"Recommends: {one}\n" for one in description.recommends["rpm"]]
    lines += [f"%global __requires_exclude_from ^/{HOME}/bin/.*$\n", f"\n%description\n{description.description}"]
    lines += [f"\n%install\ncp -a {tree.root}/. %{{buildroot}}/\n"]
    lines += [f"\n%{name}\n{text}" for name, text in scriptlets().items()]
    return "".join([*lines, "\n%files\n%defattr(-,root,root,-)\n", *_files(tree, description)])


def _files(tree: Tree, description: Description) -> list[str]:
    folders = {"/usr/lib/hostagent", "/usr/share/hostagent", "/usr/share/doc/hostagent", "/etc/hostagent"}
    folders.add("/etc/hostagent/policies.d")
    for name in tree.files():
        folders |= {f"/{parent}" for parent in name.parents if str(parent).startswith(f"{HOME}/")}
    kept = set(description.configuration.values())
    lines = [f"%dir {folder}\n" for folder in sorted(folders)]
    return lines + [f'{"%config(noreplace) " if str(name) in kept else ""}"/{name}"\n' for name in tree.files()]
