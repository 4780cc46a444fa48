"""The tree that both packages hold: every file with its content and mode, then all of it with one time."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sysconfig
from pathlib import Path, PurePosixPath

from tools.package import changelog, completions, environment, licences, manual
from tools.package.description import ROOT, Description
from tools.package.environment import HOME, INTERPRETER, PYTHON, SITE

PROGRAMS = {"hostagent": "hostagent.cli.main", "hostagentd": "hostagent.daemon.app"}
OWN_SUFFIXES = {".py", ".sql", ".json", ".txt", ".typed"}
POLICY_SCHEMA = "$schema=policy.schema.json"
TEARDOWN = """\
# For the removal of the package where the host's own file cannot be read.
govern: {cgroups: [/governed.slice]}
"""


class Tree:
    """A folder that becomes a package. Modes are set, not inherited from the umask."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)

    def put(self, place: str | PurePosixPath, content: bytes | str, mode: int = 0o644) -> None:
        """Write one file."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    def link(self, place: str | PurePosixPath, target: str) -> None:
        """Make one symbolic link."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def files(self) -> list[PurePosixPath]:
        """Every file and link, in order."""
        paths = sorted(path for path in self.root.rglob("*") if path.is_symlink() or not path.is_dir())
        return [PurePosixPath(path.relative_to(self.root)) for path in paths]

    def seal(self, seconds: int) -> None:
        """Give folders their mode, and everything its time."""
        for folder, _, names in os.walk(self.root, topdown=False):
            Path(folder).chmod(0o755)
            for path in (*(Path(folder, name) for name in names), Path(folder)):
                os.utime(path, (seconds, seconds), follow_symlinks=False)
        os.utime(self.root, (seconds, seconds))


def stage(root: Path, description: Description, seconds: int) -> Tree:
    """Put the whole package into a new folder. Raises ValueError when something of it is not built or not locked."""
    tree = Tree(root)
    _stage_environment(tree)
    _stage_own_modules(tree)
    _compile_bytecode(tree)
    for pattern, place in description.files.items():
        sources = sorted(path for path in ROOT.glob(pattern) if path.is_file())
        if not sources:
            raise ValueError(f"nothing is at {pattern}")
        for source in sources:
            executable = source.stat().st_mode & 0o100
            tree.put(PurePosixPath(place) / source.name, source.read_bytes(), 0o755 if executable else 0o644)
    schema = "$schema=/usr/share/hostagent/policies/policy.schema.json"
    for source, place in description.configuration.items():
        tree.put(place, (ROOT / source).read_text().replace(POLICY_SCHEMA, schema))
    tree.put("usr/share/hostagent/teardown.yaml", TEARDOWN)
    manual.stage(tree, seconds)
    completions.stage(tree)
    licences.stage(tree)
    changelog.stage(tree, description, seconds)
    tree.seal(seconds)
    return tree


def _stage_environment(tree: Tree) -> None:
    tree.put(HOME / "pyvenv.cfg", environment.CONFIGURATION)
    tree.link(HOME / "bin" / "python", f"../../../bin/{PYTHON}")
    for name, module in PROGRAMS.items():
        tree.put(HOME / "bin" / name, environment.program(module), 0o755)
        tree.link(f"usr/bin/{name}", f"../lib/hostagent/bin/{name}")
    for wanted in environment.distributions():
        for path, content in environment.files(wanted):
            tree.put(SITE / path, content)


def _stage_own_modules(tree: Tree) -> None:
    compiled = runpy.run_path(str(ROOT / "tools" / "compile.py"))
    if not compiled["current"]():
        raise ValueError("the compiled modules are not those of the sources: run tools/setup")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for source in sorted((ROOT / "hostagent").rglob("*")):
        if source.suffix in OWN_SUFFIXES and "__pycache__" not in source.parts:
            tree.put(SITE / source.relative_to(ROOT), source.read_bytes())
    for module in compiled["MODULES"]:
        tree.put(SITE / "hostagent" / f"{module}{suffix}", (ROOT / "hostagent" / f"{module}{suffix}").read_bytes())
    group = f"{compiled['GROUP']}__mypyc{suffix}"
    tree.put(SITE / group, (compiled["SITE"] / group).read_bytes())
    # Without the build identity: it is a hash over debugging information, which names the folder of the build.
    strip = ("strip", "--strip-unneeded", "--remove-section=.note.gnu.build-id", "--remove-section=.comment")
    subprocess.run([*strip, *(tree.root / SITE).rglob("*.so")], check=True)


def _compile_bytecode(tree: Tree) -> None:
    """Beside every source, valid by the package and not by times: then nothing is ever written there at run time."""
    command = (INTERPRETER, "-sP", "-m", "compileall", "-q", "-s", str(tree.root), "-p", "/")
    options = ("--invalidation-mode", "unchecked-hash", str(tree.root / SITE))
    plain = {"PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]}
    subprocess.run([*command, *options], check=True, umask=0o022, env=plain)


def replace(path: Path) -> Path:
    """The path, with nothing there."""
    shutil.rmtree(path, ignore_errors=True)
    return path
