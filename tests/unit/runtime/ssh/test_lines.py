"""A here-document where rules let through commands and no shell: decided a line at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.lab.sshd import Sshd
from tests.unit.runtime.ssh.harness import Harness, play, policy

COMMANDS: dict[str, Any] = {"kinds": "exec", "commands": ["echo **", "cd *", "cat", "exit *"], "logins": "root"}
NO_SHELL: dict[str, Any] = {"name": "no", "actors": "*", "targets": "*", "deny": {"kinds": "shell_no_pty"}}


def test_each_line_is_decided_and_all_run_in_one_shell(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, output, errors = await h.ssh("-T", stdin=b"echo one\n\ncd /\n  echo 'two  three' \necho four; exit 7")
        assert (code, errors) == (7, b"") and output.endswith(b"one\ntwo  three\nfour\n")  # after sshd's own words
        decided = [(e["unmapped"]["kind"], e["message"]) for e in h.events("decided")]
        lines = ("echo one", "cd /", "  echo 'two  three' ", "echo four; exit 7")
        assert decided == [("exec", line) for line in lines]
        (flow,) = {e["unmapped"]["flow"] for e in h.events("decided")}
        assert all(e["unmapped"]["exit_status"] == 7 for e in h.events("finished")) and flow

    play(sshd, tmp_path, scene, policy(COMMANDS))


def test_the_first_line_that_is_denied_ends_the_shell(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        for line in (
            "touch {}",
            "echo x > {}",
            "echo a\\\necho {}",
            "echo 'a\n> {} '",
            "cat <<E\nE",
            "echo $(touch {})",
        ):
            mark = tmp_path / "mark"
            given = f"echo before\n{line.format(mark)}\necho after\n"
            code, output, errors = await h.ssh("-T", stdin=given.encode())
            assert code == 126 and b"after" not in output and b"decision" in errors, (line, output, errors)
            assert not mark.exists()
        assert await h.ssh("echo", "on") == (0, b"on\n", b"")

    play(sshd, tmp_path, scene, policy(COMMANDS))


def test_a_relative_redirection_after_cd_is_denied(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, _, errors = await h.ssh("-T", stdin=f"cd {tmp_path}\necho x > in/y\n".encode())
        assert code == 126 and b"a relative redirection after `cd`" in errors

    play(sshd, tmp_path, scene, policy({**COMMANDS, "redirections": "~/in/**"}))


def test_nothing_is_opened_for_no_lines_and_a_deny_of_the_shell_holds(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        assert await h.ssh("-T", stdin=b"\n \n") == (0, b"", b"")
        assert not h.events("decided") and sshd.log().count("Accepted publickey") == before

    async def refused(h: Harness) -> None:
        code, output, errors = await h.ssh("-T", stdin=b"echo x\n")
        assert (code, output) == (126, b"") and b"decision" in errors
        assert [e["unmapped"]["kind"] for e in h.events("decided")] == ["shell_no_pty"]

    before = sshd.log().count("Accepted publickey")
    play(sshd, tmp_path, scene, policy(COMMANDS))
    (tmp_path / "again").mkdir()
    play(sshd, tmp_path / "again", refused, policy(COMMANDS, NO_SHELL))


def test_a_line_waits_for_its_end_and_a_human(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*h.command("-T"), stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"echo one\necho t")
        while await process.stdout.readline() != b"one\n":
            assert not process.stdout.at_eof()
        process.stdin.write(b"wo\nid -u\necho three\n")
        assert await process.stdout.readline() == b"two\n"
        held = await h.asked.get()
        assert held["text"] == "id -u" and held["what"] == "command"
        await h.answer(held["id"], "approved")
        assert await process.stdout.readline() == b"0\n" and await process.stdout.readline() == b"three\n"
        process.stdin.close()
        assert await process.wait() == 0

    ask = {"name": "ask", "actors": "*", "targets": "*",
           "approve": {"kinds": "exec", "commands": "id **", "logins": "root"}}  # fmt: skip
    play(sshd, tmp_path, scene, policy(COMMANDS, ask))


def test_a_long_input_passes_whole(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        lines = "".join(f"echo {number} {'x' * 200}\n" for number in range(600))
        code, output, _ = await h.ssh("-T", stdin=lines.encode())
        numbers = [line.split()[0] for line in output.decode().splitlines()[-600:]]
        assert code == 0 and numbers == [str(number) for number in range(600)]

    play(sshd, tmp_path, scene, policy(COMMANDS))
