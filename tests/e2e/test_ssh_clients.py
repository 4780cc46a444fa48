"""Stock SSH clients, nothing configured: allowed, they answer as a direct connection does; denied, they say so."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ssh_stock import Stock, stock
from tests.e2e.ssh_world import ssh_world, target

HOST = "root@10.77.0.2"
MANAGED = "10.77.0.3"
RSYNC = {12, 126}  # by which of its processes hears of it first
ANSIBLE = Path(sys.executable).parent / "ansible"
FILES = ["{directory}/srv/open/**", "{directory}/srv/in/**"]
POLICY: dict[str, Any] = {
    "targets": [target("web", 2), target("managed", 3)],
    "rules": [
        {"name": "commands", "actors": "*", "targets": "web",
         "allow": {"kinds": "exec", "commands": ["sh {directory}/srv/talk.sh", "cat", "true", "echo **"],
                   "logins": "root"}},
        {"name": "files", "actors": "*", "targets": "web",
         "allow": {"kinds": ["file_read", "file_write"], "paths": FILES, "logins": "root"}},
        {"name": "code", "actors": "*", "targets": "web",
         "allow": {"kinds": "git", "paths": "{directory}/git/open.git", "logins": "root"}},
        {"name": "playbooks", "actors": "*", "targets": "managed",
         "allow": {"kinds": ["exec", "file_read", "file_write"], "commands": "/bin/sh -c *", "logins": "root"}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[Stock]:
    with ssh_world(POLICY) as made, stock(made) as found:
        yield found


def batch(*lines: str) -> dict[str, Any]:
    """Lines for `sftp -b -`; one that begins with `-` may fail."""
    return {"input": "\n".join(lines) + "\n"}


def allowed(here: Stock) -> list[tuple[str, list[object], dict[str, Any]]]:
    """name, command line, options"""
    top = here.server
    get, put = f"{HOST}:{top}/open/a", f"{HOST}:{top}/in/"
    many = batch(f"cd {top}/in", "put up/a x", "chmod 600 x", "rename x y", "mkdir m", "put -p up/a m/z", "ls -1 m",
                 "rm m/z", "rmdir m", "ln -s y l", f"get -p {top}/open/deep/d down/d", "pwd", "-get none")  # fmt: skip
    rsync = ["rsync", "-a", "--checksum"]
    return [
        ("exec", ["ssh", HOST, "sh", f"{top}/talk.sh"], {}),
        ("exec with input", ["ssh", HOST, "cat"], {"input": "some\0input\n" * 9000}),
        ("exec with a terminal", ["ssh", "-tt", "-o", "LogLevel=ERROR", HOST, "echo", "x"], {}),
        ("here-document", ["ssh", HOST], {"input": "echo 'a  b'\ntrue && echo c; cat\n"}),
        ("no such command", ["ssh", HOST, "echo x && true && echo y"], {}),
        ("scp down", ["scp", "-p", get, "down/"], {}),
        ("scp up", ["scp", "-p", "up/a", "up/b c", put], {}),
        ("scp down, tree", ["scp", "-rp", f"{HOST}:{top}/open", "down/"], {}),
        ("scp up, tree", ["scp", "-rp", "up", put], {}),
        ("scp -O down", ["scp", "-O", "-p", get, "down/"], {}),
        ("scp -O up", ["scp", "-O", "-p", "up/a", "up/b c", put], {}),
        ("scp -O down, tree", ["scp", "-O", "-rp", f"{HOST}:{top}/open", "down/"], {}),
        ("scp -O up, tree", ["scp", "-O", "-rp", "up", put], {}),
        ("scp of what is not there", ["scp", f"{HOST}:{top}/open/none", "down/"], {}),
        ("sftp", ["sftp", "-q", "-b", "-", HOST], many),
        ("rsync down", [*rsync, f"{HOST}:{top}/open/", "down/"], {}),
        ("rsync up", [*rsync, "--delete", "up/", f"{HOST}:{top}/in/"], {}),
    ]


def test_what_is_allowed_answers_as_a_direct_connection_does(here: Stock) -> None:
    for name, argv, options in allowed(here):
        done = here.both(*argv, **options)
        assert "hostagent:" not in done.stderr, name
    events = here.here.events()
    assert not [e for e in events if e["metadata"]["event_code"] == "decided" and e["unmapped"]["verdict"] == "deny"]
    kinds = {e["unmapped"]["kind"] for e in events if e["metadata"]["event_code"] == "decided"}
    assert {"exec", "sftp_read", "sftp_write", "sftp_rename", "sftp_link", "sftp_delete", "sftp_mkdir", "sftp_attrs",
            "scp_read", "scp_write", "rsync_read", "rsync_write"} <= kinds  # fmt: skip
    (talked,) = here.here.decided(f"sh {here.server}/talk.sh")
    assert here.here.finished(talked["unmapped"]["decision"])["unmapped"]["exit_status"] == 3


def denied(here: Stock) -> list[tuple[str, list[object], dict[str, Any], set[int], str, str]]:
    """name, command line, options, exit status, what the client is told, text of the event that denies"""
    top = here.server
    secret, inside = f"{HOST}:{top}/closed/secret", f"{HOST}:{top}/closed/new"
    lines = (f"-get {top}/closed/secret down/s", f"-put up/a {top}/closed/new", f"-rm {top}/closed/secret",
             f"-rename {top}/open/a {top}/closed/b", f"-ls {top}/closed", f"get {top}/open/a down/allowed")  # fmt: skip
    no = r"hostagent: .+ \(decision \S+\)"
    return [
        ("exec", ["ssh", HOST, "uname", "-a"], {}, {126}, no, "uname -a"),
        ("shell", ["ssh", "-tt", "-o", "LogLevel=ERROR", HOST], {"input": "touch x\n"}, {126}, no, "shell"),
        ("here-document", ["ssh", HOST], {"input": "echo x\ntouch x\necho y\n"}, {126}, no, "touch x"),
        ("scp down", ["scp", secret, "down/"], {}, {1}, no, f"{top}/closed/secret"),
        ("scp up", ["scp", "up/a", inside], {}, {1}, no, f"{top}/closed/new"),
        ("scp -O down", ["scp", "-O", secret, "down/"], {}, {1}, no, f"{top}/closed/secret"),
        ("scp -O up", ["scp", "-O", "up/a", inside], {}, {1}, no, f"{top}/closed/new"),
        ("sftp", ["sftp", "-q", "-b", "-", HOST], batch(*lines), {0}, no, f"{top}/closed/secret"),
        ("rsync down", ["rsync", "-a", secret, "down/"], {}, RSYNC, no, f"{top}/closed/secret"),
        ("rsync up", ["rsync", "-a", "up/", inside], {}, RSYNC, no, f"{top}/closed/new"),
    ]


def test_what_is_denied_is_told_so_and_has_no_effect(here: Stock) -> None:
    for name, argv, options, status, told, _ in denied(here):
        here.fill()
        closed = sorted((here.server / "closed").rglob("*"))
        done = here.governed(*argv, **options)
        assert done.returncode in status and re.search(told, done.stderr), (name, done)
        got = [path.name for path in (here.desk / "down").iterdir()]
        assert got == (["allowed"] if name == "sftp" else []), name  # the connection was good for more
        assert sorted((here.server / "closed").rglob("*")) == closed, name
    refused = [e for e in here.here.events("decided") if e["unmapped"]["verdict"] == "deny"]
    for name, *_, text in denied(here):
        told_of = [e for e in refused if text in e["message"]]
        assert told_of and {e["unmapped"]["login"] for e in told_of} == {"root"}, name
        assert all(e["actor"]["process"]["file"]["path"].endswith("/ssh") for e in told_of), name


def git(here: Stock, *argv: object, run: Any = None) -> subprocess.CompletedProcess[str]:
    """git, with a name for who commits."""
    own = ["-c", "user.name=ada", "-c", "user.email=ada@lab.test", "-c", "init.defaultBranch=main"]
    done: subprocess.CompletedProcess[str] = (run or here.governed)("git", *own, *argv)
    return done


def test_git_clones_and_pushes_where_it_may(here: Stock) -> None:
    here.fill()
    repositories = here.here.sshd.directory / "git"
    for name in ("open", "closed"):
        done = git(here, "init", "-q", "--bare", repositories / f"{name}.git", run=here.direct)
        assert done.returncode == 0, done.stderr
    for run in (here.direct, here.governed):  # the second finds what the first pushed
        work = f"down/{run.__name__}"
        assert git(here, "clone", "-q", f"{HOST}:{repositories}/open.git", work, run=run).returncode == 0
        (here.desk / work / run.__name__).write_text("x\n")
        git(here, "-C", work, "add", ".", run=here.direct)
        git(here, "-C", work, "commit", "-q", "-m", run.__name__, run=here.direct)
        pushed = git(here, "-C", work, "push", "-q", "origin", "HEAD:main", run=run)
        assert (pushed.returncode, pushed.stderr) == (0, "")
    (event,) = here.here.decided(f"git-receive-pack '{repositories}/open.git'")
    assert here.here.finished(event["unmapped"]["decision"])["unmapped"]["pushed"] == "refs/heads/main"
    log = git(here, "--git-dir", repositories / "open.git", "log", "--format=%s", run=here.direct).stdout
    assert log == "governed\ndirect\n"
    refused = git(here, "clone", "-q", f"{HOST}:{repositories}/closed.git", "down/closed")
    assert refused.returncode == 128 and "decision" in refused.stderr
    (event,) = here.here.decided(f"git-upload-pack '{repositories}/closed.git'")
    assert (event["unmapped"]["verdict"], event["unmapped"]["kind"]) == ("deny", "git_fetch")


def test_ansible_pings_and_copies_where_it_may(here: Stock) -> None:
    here.fill()
    common = "ansible_user=root ansible_python_interpreter=/usr/bin/python3 ansible_remote_tmp={tmp} {ssh}"
    shared = "ansible_ssh_args='-o ControlMaster=auto -o ControlPersist=2s'"
    facts = common.format(tmp=here.server / "in" / "tmp", ssh=shared)
    (here.desk / "hosts").write_text(f"{MANAGED} {facts}\n10.77.0.2 {facts}\n")
    ansible = [ANSIBLE, "-i", "hosts", "-m"]
    pinged = here.governed(*ansible, "ping", "all")
    assert f"{MANAGED} | SUCCESS" in pinged.stdout and "10.77.0.2 | UNREACHABLE" in pinged.stdout, pinged.stdout
    destination = here.server / "in" / "copied"
    copied = here.governed(*ansible, "copy", "-a", f"src=up/a dest={destination}", MANAGED)
    assert copied.returncode == 0 and destination.read_text() == "up a\n", copied.stdout + copied.stderr
    events = [e for e in here.here.events("decided") if e["unmapped"]["target"] == "managed"]
    assert {e["unmapped"]["verdict"] for e in events} == {"allow"}
    assert any(e["unmapped"]["channel"] > 1 and e["unmapped"]["rides"] for e in events)  # on one shared connection


PARAMIKO = """
import paramiko, sys
top = sys.argv[1]
with paramiko.SSHClient() as client:
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # it knows no @cert-authority
    client.connect("10.77.0.2", username="root", password="any")
    def run(command):
        _, output, errors = client.exec_command(command)
        status = output.channel.recv_exit_status()
        print(output.read(), errors.read() if status != 126 else b"told", status)
    run(f"sh {top}/talk.sh")
    with client.open_sftp() as sftp:
        def tried(name, *arguments):
            try:
                result = getattr(sftp, name)(*arguments)
                print(name, result if isinstance(result, list) else "done")
            except OSError as error:
                print(name, type(error).__name__, error.errno)
        tried("listdir", f"{top}/open/deep")
        tried("put", "up/a", f"{top}/in/a")
        tried("get", f"{top}/open/a", "down/a")
        if len(sys.argv) > 2:
            tried("get", f"{top}/closed/secret", "down/secret")
            tried("remove", f"{top}/closed/secret")
            tried("listdir", f"{top}/in")
            run("uname")
            run("echo after")
"""
ASYNCSSH = """
import asyncio, asyncssh, sys
top = sys.argv[1]
async def main():
    async with asyncssh.connect("10.77.0.2", username="root", known_hosts="/etc/ssh/ssh_known_hosts") as c:
        async def run(command):
            done = await c.run(command)
            print(repr(done.stdout), repr(done.stderr) if done.exit_status != 126 else "told", done.exit_status)
        await run(f"sh {top}/talk.sh")
        async with c.start_sftp_client() as sftp:
            async def tried(name, *arguments):
                try:
                    await getattr(sftp, name)(*arguments)
                    print(name, "done")
                except asyncssh.SFTPError as error:
                    print(name, type(error).__name__)
            await tried("put", "up/a", f"{top}/in/a")
            await tried("get", f"{top}/open/a", "down/a")
            if len(sys.argv) > 2:
                await tried("get", f"{top}/closed/secret", "down/secret")
                await tried("remove", f"{top}/closed/secret")
                await tried("listdir", f"{top}/in")
                await run("uname")
                await run("echo after")
asyncio.run(main())
"""
AFTER = {
    PARAMIKO: "get PermissionError 13\nremove PermissionError 13\nlistdir ['a']\nb'' b'told' 126\nb'after\\n' b'' 0\n",
    ASYNCSSH: "get SFTPPermissionDenied\nremove SFTPPermissionDenied\nlistdir done\n'' told 126\n'after\\n' '' 0\n",
}


@pytest.mark.parametrize("program", [PARAMIKO, ASYNCSSH], ids=["paramiko", "asyncssh"])
def test_programs_of_libraries_too(here: Stock, program: str) -> None:
    python = [sys.executable, "-I", "-c", program, here.server]
    same = here.both(*python)
    assert same.returncode == 0, same.stderr
    here.fill()
    done = here.governed(*python, "denied too")
    assert done.stdout == same.stdout + AFTER[program], done.stderr
    got = here.desk / "down" / "secret"  # paramiko opens its own file first
    assert (here.server / "closed" / "secret").exists() and not (got.exists() and got.read_text())
