"""Commands and shells between a stock client and a real sshd, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Any

import asyncssh

from tests.lab.sshd import Sshd
from tests.unit.runtime.ssh.harness import Harness, play, policy, run


def test_a_command_runs_and_is_recorded(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        assert await h.ssh("echo", "hello") == (0, b"hello\n", b"")
        (decided,) = h.events("decided")
        facts = decided["unmapped"]
        assert decided["message"] == "echo hello" and decided["class_uid"] == 4007
        assert (facts["kind"], facts["login"], facts["channel"], facts["verdict"]) == ("exec", "root", 1, "allow")
        (finished,) = h.events("finished")
        facts = finished["unmapped"]
        assert (facts["decision"], facts["exit_status"]) == (decided["unmapped"]["decision"], 0)
        assert (facts["bytes_in"], facts["bytes_out"], facts["bytes_err"]) == (0, 6, 0)
        (opened,) = h.events("session_opened")
        assert opened["unmapped"]["session"]["user"] == "root"

    play(sshd, tmp_path, scene)


def test_input_output_errors_and_exit_status_pass(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        assert await h.ssh("cat", stdin=b"a\0b\xff" * 5) == (0, b"a\0b\xff" * 5, b"")
        assert (await h.ssh("false"))[0] == 1
        code, output, errors = await h.ssh("cat", "/nowhere")
        assert (code, output) == (1, b"") and b"No such file" in errors
        status = [e["unmapped"].get("exit_status") for e in h.events("finished")]
        assert status == [0, 1, 1]

    play(sshd, tmp_path, scene)


def test_a_denied_command_says_why_and_ends_with_126(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, output, errors = await h.ssh("uname", "-a")
        assert (code, output) == (126, b"")
        found = re.fullmatch(rb"hostagent: (.+) \(decision (\S+)\)\n", errors)
        assert found is not None, errors
        (decided,) = h.events("decided")
        assert decided["unmapped"]["decision"] == found[2].decode() and decided["unmapped"]["verdict"] == "deny"
        assert sshd.log().count("Accepted publickey") == before  # nothing was opened upstream, not even a connection

    before = sshd.log().count("Accepted publickey")
    play(sshd, tmp_path, scene)


def test_a_connection_goes_on_after_a_denial(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        shared = ("ControlMaster=auto", f"ControlPath={tmp_path}/master", "ControlPersist=30")
        assert (await h.ssh("uname", options=shared))[0] == 126
        assert await h.ssh("echo", "on", options=shared) == (0, b"on\n", b"")
        assert (await h.ssh("uname", options=shared))[0] == 126
        assert await h.ssh("echo", "and on", options=shared) == (0, b"and on\n", b"")
        await run(*h.command(options=(f"ControlPath={tmp_path}/master",)), "-O", "exit")
        decided = h.events("decided")
        assert [e["unmapped"]["channel"] for e in decided] == [1, 2, 3, 4]
        assert len({e["unmapped"]["flow"] for e in decided}) == 1
        assert all("connection" in e["unmapped"]["rides"] for e in decided)

    play(sshd, tmp_path, scene)


def test_an_exit_status_reaches_a_client_that_has_ended_its_input(sshd: Sshd, tmp_path: Path) -> None:
    """It closes its channel as soon as it hears that the output has ended, too: so it hears the status before."""

    async def scene(h: Harness) -> None:
        shared = ("ControlMaster=auto", f"ControlPath={tmp_path}/master", "ControlPersist=30")
        assert [(await h.ssh("true", options=shared))[0] for _ in range(12)] == [0] * 12
        await run(*h.command(options=(f"ControlPath={tmp_path}/master",)), "-O", "exit")

    play(sshd, tmp_path, scene)


def test_the_environment_is_filtered(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        options = ("SetEnv=LC_TIME=xx LD_PRELOAD=/evil HIDDEN_ONE=1 ALLOWED_ONE=2",)
        code, output, _ = await h.ssh("env", options=options)
        lines = output.decode().splitlines()
        assert code == 0 and "ALLOWED_ONE=2" in lines and "HIDDEN_ONE=1" not in lines and "LC_TIME=xx" in lines
        verdicts = {e["message"]: e["unmapped"]["verdict"] for e in h.events("decided")}
        assert verdicts["environment variable LD_PRELOAD"] == "deny"
        assert verdicts["environment variable ALLOWED_ONE"] == "allow"

    allowed = {"name": "env", "actors": "*", "targets": "*",
               "allow": {"kinds": "env", "environment": "ALLOWED_*", "logins": "root"}}  # fmt: skip
    play(sshd, tmp_path, scene, policy(None, allowed))


def test_a_shell_with_and_without_a_terminal(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, output, _ = await h.ssh("-tt", options=("LogLevel=QUIET",), stdin=b"tty; exit 5\n")
        assert code == 5 and b"/dev/pts/" in output
        code, output, _ = await h.ssh("-T", stdin=b"tty; exit 6\n")
        assert code == 6 and b"not a tty" in output
        assert [e["unmapped"]["kind"] for e in h.events("decided")] == ["shell", "shell_no_pty"]

    async def refused(h: Harness) -> None:
        for words in (("-tt",), ("-T",)):
            code, _, _ = await h.ssh(*words, stdin=b"touch /tmp/never\n")
            assert code == 126
        assert await h.ssh("echo", "ok") == (0, b"ok\n", b"")
        kinds = [(e["unmapped"]["kind"], e["message"]) for e in h.events("decided")]
        assert kinds == [("shell", "shell"), ("exec", "touch /tmp/never"), ("exec", "echo ok")]

    async def no_commands(h: Harness) -> None:
        code, _, errors = await h.ssh("-T", stdin=b"true\n")
        assert code == 126 and b"no rule allows shell_no_pty" in errors

    play(sshd, tmp_path, scene)
    only_exec = {"kinds": "exec", "commands": "echo **", "logins": "root"}
    only_sftp = {"kinds": "file_read", "logins": "root"}
    for name, scene, given in (("again", refused, only_exec), ("none", no_commands, only_sftp)):
        (tmp_path / name).mkdir()
        play(sshd, tmp_path / name, scene, policy(given))


def test_a_signal_ends_what_runs(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, _, _ = await h.ssh("kill -TERM $$")
        assert code == 126  # `$` is not known
        shell = b"kill -TERM $$\n"
        code, _, _ = await h.ssh("-T", stdin=shell)
        assert code == 255
        assert h.events("finished")[-1]["unmapped"]["exit_signal"] == "TERM"

    play(sshd, tmp_path, scene)


def test_many_sessions_at_a_time(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        answers = await asyncio.gather(*(h.ssh("echo", number) for number in range(20)))
        assert [output for _, output, _ in answers] == [f"{number}\n".encode() for number in range(20)]
        assert not h.worker._flows or all(flow.ended_because is not None for flow in h.worker._flows)

    play(sshd, tmp_path, scene)


def test_two_hundred_sessions_at_a_time(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        known = asyncssh.import_known_hosts(h.known_hosts.read_text())
        given: Any = {"username": "root", "known_hosts": known, "config": None, "client_keys": None}
        async with contextlib.AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(asyncssh.connect("127.0.0.1", h.port, **given)) for _ in range(4)
            ]
            cats = await asyncio.gather(*(client.create_process("cat") for client in clients for _ in range(50)))
            for number, cat in enumerate(cats):
                cat.stdin.write(f"{number}\n")
            assert [await cat.stdout.readline() for cat in cats] == [f"{number}\n" for number in range(200)]
            for cat in cats:
                cat.stdin.write_eof()
            assert [(await cat.wait()).exit_status for cat in cats] == [0] * 200
        assert sorted(e["unmapped"]["channel"] for e in h.events("decided")) == sorted([*range(1, 51)] * 4)

    play(sshd, tmp_path, scene)
