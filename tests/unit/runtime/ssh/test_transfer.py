"""Files through the guards, with the stock clients, and much data with little memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.lab.sshd import Sshd
from tests.unit.runtime.ssh.harness import Harness, play, policy, run

SIZE = 3_000_000


def files(directory: Path) -> dict[str, Any]:
    allow = {"kinds": ["file_read", "file_write", "git"], "paths": f"{directory}/open/**", "logins": "root"}
    return policy(None, {"name": "files", "actors": "*", "targets": "*", "allow": allow})


def scp(h: Harness, *words: object) -> list[str]:
    own = h.command()
    return ["scp", *own[1 : own.index("-p")], "-P", str(h.port), *map(str, words)]


def ready(directory: Path) -> bytes:
    (directory / "open").mkdir()
    (directory / "closed").mkdir()
    (directory / "closed" / "secret").write_text("secret")
    content = os.urandom(SIZE)
    (directory / "here").write_bytes(content)
    return content


@pytest.mark.parametrize("form", [(), ("-O",)], ids=["sftp", "scp"])
def test_scp_goes_both_ways_and_nowhere_else(sshd: Sshd, tmp_path: Path, form: tuple[str, ...]) -> None:
    async def scene(h: Harness) -> None:
        there = f"root@127.0.0.1:{tmp_path}"
        done = await run(*scp(h, *form, tmp_path / "here", f"{there}/open/there"))
        assert done[0] == 0, done
        assert (tmp_path / "open" / "there").read_bytes() == content
        done = await run(*scp(h, *form, f"{there}/open/there", tmp_path / "back"))
        assert done[0] == 0 and (tmp_path / "back").read_bytes() == content, done
        for words in ((f"{there}/closed/secret", tmp_path / "got"), (tmp_path / "here", f"{there}/closed/new")):
            code, _, errors = await run(*scp(h, *form, *words))
            assert code != 0 and b"decision" in errors, errors
        assert not (tmp_path / "got").exists() and not (tmp_path / "closed" / "new").exists()
        transfers = [e["unmapped"] for e in h.events("finished") if e["unmapped"].get("sha256")]
        digest = hashlib.sha256(content).hexdigest()
        assert [(t["direction"], t["sha256"], t["bytes"]) for t in transfers] == [
            ("write", digest, SIZE), ("read", digest, SIZE)
        ]  # fmt: skip

    content = ready(tmp_path)
    play(sshd, tmp_path, scene, files(tmp_path))


def test_sftp_lists_renames_and_removes_where_it_may(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        (tmp_path / "open" / "a").write_text("x")
        own = h.command()
        command = ["sftp", *own[1 : own.index("-p")], "-P", str(h.port), "-b", "-", "root@127.0.0.1"]
        batch = f"ls {tmp_path}/open\nrename {tmp_path}/open/a {tmp_path}/open/b\nrm {tmp_path}/open/b\n"
        code, output, errors = await run(*command, stdin=batch.encode())
        assert code == 0 and b"/open/a" in output, errors
        code, _, errors = await run(*command, stdin=f"rm {tmp_path}/closed/secret\n".encode())
        assert code == 1 and b"decision" in errors and (tmp_path / "closed" / "secret").exists()

    ready(tmp_path)
    play(sshd, tmp_path, scene, files(tmp_path))


def test_rsync_and_git_by_path(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        command = h.command()
        shell = " ".join(command[:-1])
        there = f"root@127.0.0.1:{tmp_path}"
        code, _, errors = await run("rsync", "-e", shell, str(tmp_path / "here"), f"{there}/open/synced")
        assert code == 0 and (tmp_path / "open" / "synced").read_bytes() == content, errors
        code, _, errors = await run("rsync", "-e", shell, str(tmp_path / "here"), f"{there}/closed/synced")
        assert code != 0 and b"decision" in errors and not (tmp_path / "closed" / "synced").exists()
        for name in ("open", "closed"):
            await run("git", "init", "-q", "--bare", str(tmp_path / name / "r.git"))
        environment = ["env", f"GIT_SSH_COMMAND={shell}"]
        code, _, errors = await run(*environment, "git", "clone", "-q", f"{there}/open/r.git", str(tmp_path / "c1"))
        assert code == 0, errors
        code, _, errors = await run(*environment, "git", "clone", "-q", f"{there}/closed/r.git", str(tmp_path / "c2"))
        assert code == 128 and b"decision" in errors
        made = ["git", "-C", str(tmp_path / "c1"), "-c", "user.name=a", "-c", "user.email=a@lab.test"]
        await run(*made, "commit", "-q", "--allow-empty", "-m", "x")
        code, _, errors = await run(*environment, *made[:3], "push", "-q", "origin", "HEAD:refs/heads/new")
        assert code == 0, errors
        assert [e["unmapped"].get("pushed") for e in h.events("finished")][-1] == "refs/heads/new"

    content = ready(tmp_path)
    play(sshd, tmp_path, scene, files(tmp_path))


@pytest.mark.parametrize("way", ["up", "down"])
def test_much_data_takes_little_memory(sshd: Sshd, tmp_path: Path, way: str) -> None:
    """A client that is slow to take, or a server that is: what is under way stays below some windows."""

    async def scene(h: Harness) -> None:
        if way == "down":
            command = ["sh", "-c", shlex.join(h.command("head -c 200000000 /dev/zero")) + " | (sleep 2; wc -c)"]
        else:
            own = shlex.join(h.command("sleep 2; wc -c"))
            command = ["sh", "-c", f"head -c 200000000 /dev/zero | {own}"]
        before = resident()
        task = asyncio.ensure_future(run(*command))
        most = 0
        while not task.done():
            most = max(most, resident())
            await asyncio.sleep(0.05)
        code, output, errors = task.result()
        assert (code, output.strip()) == (0, b"200000000"), errors
        assert most - before < 40 << 20

    allow = {"kinds": "exec", "commands": ["head **", "wc **", "sleep **"], "logins": "root"}
    play(sshd, tmp_path, scene, policy(allow))


def resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
