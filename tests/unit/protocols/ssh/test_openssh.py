"""The guards between OpenSSH's own clients and servers, run as processes with pipes in the place of a connection."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
BETWEEN = Path(__file__).with_name("between.py")
STATING = "sftp_stat sftp_extension"


@dataclass
class World:
    """`mine` is the client's directory; `tree/in` of the server is allowed, `tree/out` is not."""

    mine: Path
    tree: Path
    log: Path
    ssh: Path

    def run(
        self, *command: str, deny: str = "", chunk: int = 65536, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BETWEEN_LOG": str(self.log),
            "BETWEEN_ROOT": str(self.tree / "in"),
            "BETWEEN_ANYWHERE": STATING,
            "BETWEEN_DENY": deny,
            "BETWEEN_CHUNK": str(chunk),
        }
        return subprocess.run(
            command, cwd=self.mine, env=environment, input=stdin, capture_output=True, text=True, timeout=60
        )

    def sftp(self, batch: str, deny: str = "") -> subprocess.CompletedProcess[str]:
        return self.run("sftp", "-b", "-", "-S", str(self.ssh), "host", deny=deny, stdin=batch)

    def scp(self, *arguments: str, chunk: int = 65536) -> subprocess.CompletedProcess[str]:
        return self.run("scp", "-S", str(self.ssh), *arguments, chunk=chunk)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    @property
    def finished(self) -> list[dict[str, Any]]:
        return [transfer for session in self.told for transfer in session["finished"]]

    def asked(self, kind: str) -> list[tuple[str, bool]]:
        return [(paths[0], verdict) for session in self.told for k, paths, verdict in session["asked"] if k == kind]


@pytest.fixture
def world(tmp_path: Path) -> World:
    tree, mine = tmp_path / "tree", tmp_path / "mine"
    for directory in (tree / "in", tree / "out", mine / "d" / "e"):
        directory.mkdir(parents=True)
    (mine / "big").write_bytes(os.urandom(1_500_000))
    (mine / "d" / "one").write_text("one\n")
    (mine / "d" / "e" / "empty").write_text("")
    (tree / "out" / "secret").write_text("secret\n")
    (tree / "in" / "link").symlink_to("../out")
    (tree / "in" / "file").symlink_to("../out/secret")
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{BETWEEN}" "$@"\n')
    ssh.chmod(0o755)
    return World(mine, tree, tmp_path / "log", ssh)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_sftp_up_and_down_with_denials_between(world: World) -> None:
    inside, outside = world.tree / "in", world.tree / "out"
    done = world.sftp(
        f"""
        -put big {inside}/big
        -get {inside}/link/secret x1
        -get {inside}/file x2
        -put big {outside}/big
        -put big {inside}/link/big
        -rename {inside}/big {outside}/moved
        -rm {outside}/secret
        -ls {outside}
        -ln -s ../out/secret {inside}/evil
        -ln {outside}/secret {inside}/evil
        rename {inside}/big {inside}/moved
        get {inside}/moved back
        mkdir {inside}/sub
        ls -l {inside}
        chmod 600 {inside}/moved
        df {inside}
        rm {inside}/file
        rmdir {inside}/sub
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Permission denied") == 9
    assert (world.mine / "back").read_bytes() == (world.mine / "big").read_bytes()
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    assert sorted(path.name for path in inside.iterdir()) == ["link", "moved"]
    assert not [path for path in world.mine.iterdir() if path.name in ("x1", "x2")]
    whole = [(Path(t["path"]).name, t["direction"], t["sha256"], t["complete"]) for t in world.finished]
    assert whole == [
        ("big", "write", digest(world.mine / "big"), True),
        ("moved", "read", digest(world.mine / "big"), True),
    ]


def test_sftp_recursive(world: World) -> None:
    inside = world.tree / "in"
    done = world.sftp(
        f"put -pr d {inside}/\nget -r {inside}/d back\nsymlink d {inside}/good\nget {inside}/good/one again\n"
    )
    assert done.returncode == 0, done.stderr
    assert (world.mine / "back" / "one").read_text() == (world.mine / "again").read_text() == "one\n"
    assert (world.mine / "back" / "e" / "empty").exists()
    assert world.asked("sftp_read")[-1] == (str(inside / "d" / "one"), True)


def test_a_denied_kind_is_denied_everywhere(world: World) -> None:
    (world.tree / "in" / "a").write_text("a\n")
    done = world.sftp(
        f"-get {world.tree}/in/a a\n-rm {world.tree}/in/a\nput big {world.tree}/in/b\n", "sftp_read sftp_delete"
    )
    assert done.returncode == 0 and done.stderr.count("Permission denied") == 2
    assert (world.tree / "in" / "a").exists() and not (world.mine / "a").exists() and (world.tree / "in" / "b").exists()


@pytest.mark.parametrize(("mode", "chunk"), [("-O", 65536), ("-O", 7), ("-s", 65536), ("-s", 1000)])
def test_scp_up_and_down(world: World, mode: str, chunk: int) -> None:
    inside = world.tree / "in"
    if chunk < 1000:
        (world.mine / "big").write_bytes(os.urandom(2000))
    assert world.scp(mode, "big", f"host:{inside}/", chunk=chunk).returncode == 0
    assert world.scp(mode, f"host:{inside}/big", "back", chunk=chunk).returncode == 0
    assert (world.mine / "back").read_bytes() == (world.mine / "big").read_bytes()
    assert world.scp(mode, "-rp", "d", f"host:{inside}", chunk=chunk).returncode == 0
    assert world.scp(mode, "-rp", f"host:{inside}/d", "back_d", chunk=chunk).returncode == 0
    assert (world.mine / "back_d" / "one").read_text() == "one\n" and (world.mine / "back_d" / "e" / "empty").exists()
    sums = {(t["direction"], t["sha256"], t["complete"]) for t in world.finished}
    assert {(way, digest(world.mine / "big"), True) for way in ("write", "read")} <= sums
    assert all(t["complete"] for t in world.finished)


@pytest.mark.parametrize("mode", ["-O", "-s"])
def test_scp_denied(world: World, mode: str) -> None:
    inside, outside = world.tree / "in", world.tree / "out"
    for there in (f"{outside}/", f"{inside}/../out/", f"{outside}/new"):
        done = world.scp(mode, "big", f"host:{there}")
        assert done.returncode == 1 and "denied" in done.stderr
    done = world.scp(mode, f"host:{outside}/secret", "x")
    assert done.returncode == 1 and "denied" in done.stderr
    assert not (world.mine / "x").exists() and [path.name for path in outside.iterdir()] == ["secret"]
    assert world.scp(mode, "big", f"host:{inside}/fine").returncode == 0


def test_scp_goes_on_after_a_denied_file(world: World) -> None:
    inside = world.tree / "in"
    (world.mine / "d" / "denied").mkdir()
    (world.mine / "d" / "denied" / "x").write_text("x")
    world.tree.joinpath("in").rename(world.tree / "in2")
    (world.tree / "in" / "d" / "e").mkdir(parents=True)
    done = world.scp("-O", "-r", "d", "big", f"host:{world.tree}/in/d/e")
    assert done.returncode == 0 and (inside / "d" / "e" / "big").exists()
    done = world.scp("-O", "big", "d/one", f"host:{world.tree}/out")
    assert done.returncode == 1 and done.stderr.count("denied by the test") == 2


def test_scp_tells_the_servers_own_errors(world: World) -> None:
    inside = world.tree / "in"
    done = world.scp("-O", f"host:{inside}/missing", "x")
    assert done.returncode == 1 and "No such file" in done.stderr
    done = world.scp("-O", "big", f"host:{inside}/no/such/")
    assert done.returncode == 1 and "No such file" in done.stderr
    done = world.scp("-O", "big", "missing", f"host:{inside}")
    assert done.returncode == 1 and (inside / "big").exists()
