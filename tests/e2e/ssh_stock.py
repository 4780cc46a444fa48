"""Stock SSH clients: nothing of ours on their command lines, and the same command lines past the daemon.

What a host has in /etc/ssh and in root's home, a client of the daemon sees as `hostagent ca install` leaves it, and a
direct client with the server's own key and the user's: each in a mount namespace of its own. The host's files are left
as they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.ssh_world import SshWorld
from tests.e2e.world import Done

LONG_AGO = 1_000_000_000  # when all files of a desk were changed
_SEES = 'mount --bind "$0/etc" /etc/ssh && mount --bind "$0/home" /root && cd "$1" && shift && exec "$@"'

Tree = dict[str, tuple[str, str, bool]]


@dataclass(frozen=True)
class Stock:
    """`desk`: where clients stand; `server`: where the server's files are."""

    here: SshWorld
    directory: Path
    desk: Path
    server: Path

    def command(self, who: str, *argv: object) -> list[str]:
        """What runs it with the files of `governed` or `direct`, in the desk."""
        seeing = ["unshare", "--mount", "sh", "-c", _SEES, str(self.directory / who), str(self.desk)]
        return [*seeing, *map(str, argv)]

    def governed(self, *argv: object, **more: Any) -> Done:
        """Run it through the daemon."""
        return self.here.governed(*self.command("governed", *argv), **more)

    def direct(self, *argv: object, **more: Any) -> Done:
        """Run it past the daemon, to the same server."""
        given: dict[str, Any] = {
            "text": True,
            "timeout": 60,
            **({} if "input" in more else {"stdin": subprocess.DEVNULL}),
        }
        command = [*self.here.agent.enter(), *self.command("direct", *argv)]
        return subprocess.run(command, check=False, capture_output=True, **{**given, **more})

    def both(self, *argv: object, **more: Any) -> Done:
        """Run it both ways on the same files: the answers are the same to the byte, and so is what they leave."""
        found = []
        for run in (self.direct, self.governed):
            self.fill()
            done = run(*argv, **more)
            found.append((done.stderr, done.stdout, done.returncode, tree(self.desk), tree(self.server)))
        for direct, governed in zip(*found, strict=True):
            assert governed == direct, f"{argv}\ngoverned: {governed}\ndirectly: {direct}"
        return done

    def fill(self) -> None:
        """The files as they are before each run."""
        for top, names in ((self.desk, ("up", "down")), (self.server, ("open", "closed", "in"))):
            for child in top.iterdir():
                shutil.rmtree(child) if child.is_dir() else child.unlink()
            for name in names:
                (top / name).mkdir()
        _write(self.desk / "up", {"a": "up a\n", "b c": "up b c\n", "deep/d": "up d\n"})
        _write(self.server / "open", {"a": "open a\n", "b c": "open b c\n", "deep/d": "open d\n"})
        _write(self.server / "closed", {"secret": "the secret\n", "deep/secret": "the secret\n"})
        (self.server / "talk.sh").write_text("echo out; echo errors >&2; exit 3\n")


def tree(top: Path) -> Tree:
    """What is below a directory: kind and mode, content, and whether it kept its old date."""
    found = {}
    for path in sorted(top.rglob("*")):
        facts = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(facts.st_mode) else ""
        if ".git" not in str(path.relative_to(top)):  # git names its packs as it likes
            found[str(path.relative_to(top))] = stat.filemode(facts.st_mode), content, facts.st_mtime == LONG_AGO
    return found


def _write(top: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o640)
        os.utime(path, (LONG_AGO, LONG_AGO))


@contextlib.contextmanager
def stock(here: SshWorld) -> Iterator[Stock]:
    """Their files, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="hostagent-ssh-") as made:
        top = Path(made)
        top.chmod(0o755)
        for who in ("governed", "direct"):
            shutil.copytree("/etc/ssh", top / who / "etc", ignore=shutil.ignore_patterns("ssh_host_*"))
            (top / who / "etc" / "ssh_known_hosts").unlink(missing_ok=True)
            (top / who / "home").mkdir(mode=0o700)
        here.agent.hostagent("ca", "install", "--ssh-known-hosts", top / "governed" / "etc" / "ssh_known_hosts")
        (top / "direct" / "etc" / "ssh_known_hosts").write_text(f"* {here.sshd.host_key}\n")
        own = top / "direct" / "home" / ".ssh"
        own.mkdir(mode=0o700)
        shutil.copy(here.sshd.user_key_file, own / "id_ed25519")
        (top / "desk").mkdir()
        server = here.sshd.directory / "srv"
        server.mkdir()
        found = Stock(here, top, top / "desk", server)
        found.fill()
        yield found
