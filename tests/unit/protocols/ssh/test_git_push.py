"""Refs that are pushed, from made-up lines and from git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.protocols.ssh.git_push import MAX_LINE, MAX_REFS, Pushed, RefUpdate

OLD, NEW = "0" * 40, "1" * 40


def line(text: str) -> bytes:
    return b"%04x" % (len(text) + 4) + text.encode()


TWO = line(f"{OLD} {NEW} refs/heads/main\0 report-status agent=git") + line(f"{NEW} {OLD} refs/tags/v1") + b"0000"
UPDATES = [RefUpdate(OLD, NEW, "refs/heads/main"), RefUpdate(NEW, OLD, "refs/tags/v1")]


@pytest.mark.parametrize("size", [1, 3, 50, 1000])
def test_updates_are_read_and_the_pack_is_not(size: int) -> None:
    pushed = Pushed()
    said = TWO + b"PACK" + bytes(500)
    for start in range(0, len(said), size):
        pushed.feed(said[start : start + size])
    assert (pushed.refs, pushed.done, pushed.whole) == (UPDATES, True, True)


def test_what_cannot_be_read_ends_it() -> None:
    for said in (b"xxxx", b"0004", b"%04x" % (MAX_LINE + 1), line("push-cert\0"), line("other")):
        pushed = Pushed()
        pushed.feed(TWO[:-4] + said + b"more")
        assert (pushed.refs, pushed.done, pushed.whole) == (UPDATES, True, False)
    shallow = Pushed()
    shallow.feed(line(f"shallow {OLD}") + TWO)
    assert shallow.refs == UPDATES and shallow.whole


def test_refs_are_bounded() -> None:
    pushed = Pushed()
    pushed.feed(line(f"{OLD} {NEW} refs/x") * (MAX_REFS + 5) + b"0000")
    assert len(pushed.refs) == MAX_REFS and not pushed.whole


def test_git_itself(tmp_path: Path) -> None:
    said = tmp_path / "said"
    receive = tmp_path / "receive"
    receive.write_text(f'#!/bin/sh\ntee "{said}" | git-receive-pack "$1"\n')
    receive.chmod(0o755)
    who = {f"GIT_{role}_{what}": "ci" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path)}
    for command in (
        "git init -q --bare there.git",
        "git init -q -b main here",
        "git -C here commit -q --allow-empty -m one",
        f"git -C here push -q --receive-pack={receive} {tmp_path}/there.git main HEAD:refs/tags/v1",
    ):
        subprocess.run(command.split(), cwd=tmp_path, env=environment, check=True, timeout=30)
    pushed = Pushed()
    pushed.feed(said.read_bytes())
    assert sorted(update.ref for update in pushed.refs) == ["refs/heads/main", "refs/tags/v1"] and pushed.whole
    assert {update.old for update in pushed.refs} == {OLD}


@given(st.lists(st.binary(max_size=20) | st.sampled_from([TWO, b"0000", b"00"]), max_size=6))
def test_any_bytes_are_taken(pieces: list[bytes]) -> None:
    pushed, at_once = Pushed(), Pushed()
    for piece in pieces:
        pushed.feed(piece)
    at_once.feed(b"".join(pieces))
    assert (pushed.refs, pushed.done, pushed.whole) == (at_once.refs, at_once.done, at_once.whole)
