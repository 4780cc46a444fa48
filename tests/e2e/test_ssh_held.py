"""A human is asked about a command and a file; output is masked; a session is played and exported as it was."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpkt
import pytest

from tests.e2e.ssh_world import SshWorld, approvals, ssh_world, target
from tests.e2e.world import eventually

CARD = "4111111111111111"
CARDS = 60_000  # lines of 17 bytes: the server's packets of 32 KiB and less end within some of them
ASKED = re.compile(r"hostagent: waiting for a human to approve this, for at most \d+ s: decision (\S+)")
POLICY: dict[str, Any] = {
    "targets": [target("web", 2), target("asked", 8)],
    "rules": [
        {"name": "work", "actors": "*", "targets": "web",
         "allow": {"kinds": ["exec", "interactive", "file_read", "file_write"], "commands": ["sh {directory}/*.sh"],
                   "paths": "{directory}/in/**", "logins": "root"}},
        {"name": "look", "actors": "*", "targets": "asked", "allow": {"kinds": ["file_read"], "logins": "root"}},
        {"name": "ask", "actors": "*", "targets": "asked",
         "approve": {"kinds": ["exec", "file_write"], "commands": "sh {directory}/*.sh", "logins": "root"}},
    ],
    "detectors": [{"name": "cards", "targets": "web", "detect": "card", "then": "redact"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[SshWorld]:
    with ssh_world(POLICY) as made:
        top = made.sshd.directory
        (top / "in").mkdir()
        (top / "cards.sh").write_text(f"yes {CARD} | head -n {CARDS}\necho {CARD} >&2\n")
        (top / "say.sh").write_text(f"echo ran >> {top}/ran; echo said {CARD}; echo loud >&2; exit 4\n")
        yield made


def asked(process: subprocess.Popen[str]) -> str:
    """The decision that the client was told a human is asked about."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := ASKED.search(line):
            return found[1]
    raise AssertionError("the client was told of no human")


def put(here: SshWorld, name: str) -> list[object]:
    """A shell that puts a file of that name with sftp, and then says what the connection is still good for."""
    top = here.sshd.directory
    lines = f"-put {top}/say.sh {top}/in/{name}\\nls {top}/in\\n"
    return [
        "sh",
        "-c",
        f"printf %b '{lines}' | exec \"$@\"",
        "sh",
        "sftp",
        "-q",
        "-b",
        "-",
        *here.options(),
        "root@10.77.0.8",
    ]


@pytest.mark.parametrize("answer", ["approve", "deny"])
@pytest.mark.parametrize("what", ["exec", "sftp"])
def test_a_human_is_asked(here: SshWorld, what: str, answer: str) -> None:
    top = here.sshd.directory
    effect = top / ("ran" if what == "exec" else f"in/{answer}")
    effect.unlink(missing_ok=True)
    argv: list[object] = put(here, answer)
    if what == "exec":
        argv = ["ssh", *here.options(), "root@10.77.0.8", "sh", f"{top}/say.sh"]
    with here.running(*argv, stdin=subprocess.DEVNULL) as process:
        decision = asked(process)
        (listed,) = json.loads(here.agent.hostagent("approvals", "list", "-o", "json"))["requests"]
        assert listed["id"] == decision and str(top) in json.dumps(listed)
        assert not effect.exists()
        approvals(here, answer, decision)
        output, errors = process.communicate(timeout=30)
    assert effect.exists() == (answer == "approve")
    assert listed["what"] == {"exec": "command", "sftp": "file operation"}[what]
    if what == "exec":
        assert process.returncode == (4 if answer == "approve" else 126)
    else:
        assert process.returncode == 0 and f"{top}/in" in output  # the connection goes on
    assert answer == "approve" or "denied by" in errors
    event = next(e for e in here.events("decided") if e["unmapped"]["decision"] == decision)
    assert event["actor"]["process"]["file"]["path"].endswith("/ssh")


@pytest.mark.parametrize("what", ["exec", "sftp"])
def test_a_client_that_hangs_up_withdraws_the_question(here: SshWorld, what: str) -> None:
    argv = ["ssh", *here.options(), "root@10.77.0.8", "sh", f"{here.sshd.directory}/cards.sh"]
    if what == "sftp":
        argv = ["sftp", *here.options(), "root@10.77.0.8"]
    with here.running(*argv) as process:
        if what == "sftp":
            assert process.stdin is not None
            process.stdin.write(f"put {here.sshd.directory}/say.sh {here.sshd.directory}/in/gone\n")
            process.stdin.flush()
        asked(process)
        process.send_signal(signal.SIGTERM)
        process.wait(10)

    def gone() -> bool:
        return not json.loads(here.agent.hostagent("approvals", "list", "-o", "json"))["requests"]

    assert eventually(gone) and not (here.sshd.directory / "in" / "gone").exists()


def flow(here: SshWorld, text: str) -> str:
    """The flow in which that was decided last."""
    found: str = here.decided(text)[-1]["unmapped"]["flow"]
    return found


def exported(here: SshWorld, session: str, form: str, file: Path, *more: object) -> bytes:
    """The session's recording in that form."""
    wanted = ["sessions", "export", session, f"--{form}", "-o", file, "--state-dir", here.agent.state, *more]
    here.agent.hostagent(*wanted)
    return file.read_bytes()


def cast(here: SshWorld, session: str, channel: int, file: Path) -> dict[str, str]:
    """A channel's asciicast: all text of each kind of event."""
    head, *events = exported(here, session, "asciicast", file, "--channel", channel).decode().splitlines()
    assert json.loads(head)["version"] == 2
    kinds: dict[str, str] = {}
    for _, kind, data in map(json.loads, events):
        kinds[kind] = kinds.get(kind, "") + data
    return kinds


def test_what_is_cut_between_two_packets_is_masked_for_client_and_recording(here: SshWorld, tmp_path: Path) -> None:
    command = f"sh {here.sshd.directory}/cards.sh"
    done = here.ssh(2, command)
    assert done.returncode == 0 and CARD not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    # what a silence of the server's leaves half written shows its beginning, never its end
    assert len(lines) == CARDS and all(re.fullmatch(r"\d{0,15}\*+", line) and len(line) == len(CARD) for line in lines)
    assert sum(line == "*" * len(CARD) for line in lines) > CARDS - 20 and done.stderr == "*" * len(CARD) + "\n"
    ended = here.finished(here.decided(command)[-1]["unmapped"]["decision"])["unmapped"]
    assert ended["detected"]["card"] == CARDS + 1
    session = flow(here, command)
    played = here.agent.hostagent("sessions", "play", session, "--no-wait", "--state-dir", here.agent.state)
    assert played.replace("\r", "").count("*" * len(CARD)) > CARDS - 20 and CARD not in played
    for form in ("asciicast", "pcap"):
        assert CARD.encode() not in exported(here, session, form, tmp_path / form)
    recordings = [file.read_bytes() for file in here.agent.records.rglob("*") if file.is_file()]
    assert not any(CARD.encode() in recording for recording in recordings)


def test_a_session_is_played_and_exported(here: SshWorld, tmp_path: Path) -> None:
    top = here.sshd.directory
    with here.shared() as shared:
        assert here.ssh(2, "sh", f"{top}/say.sh", options=shared).returncode == 4
        assert here.ssh(2, "uname", options=shared).returncode == 126
        typed = here.ssh(2, "-tt", options=(*shared, "LogLevel=QUIET"), input="echo typed $((40 + 2))\nexit 5\n")
        assert typed.returncode == 5 and "typed 42" in typed.stdout
        copied = here.governed("scp", *here.options(*shared), top / "say.sh", f"root@10.77.0.2:{top}/in/copied")
        assert copied.returncode == 0, copied.stderr
    session = flow(here, "uname")
    eventually(lambda: [e for e in here.events("flow_closed") if e["unmapped"]["flow"] == session])
    masked = f"said {'*' * len(CARD)}"
    play = ["sessions", "play", session, "--no-wait", "--state-dir", here.agent.state]
    shown = here.agent.hostagent(*play, "--channel", "3").replace("\r", "")
    assert "typed 42" in shown and masked not in shown
    assert masked in here.agent.hostagent(*play, "--channel", "1")
    casts = {n: cast(here, session, n, tmp_path / f"{n}.cast") for n in (1, 2, 3)}
    assert masked in casts[1]["o"] and "loud" in casts[1]["o"] and "typed 42" in casts[3]["o"]
    assert "say.sh" in casts[1]["m"] and "uname" in casts[2]["m"] and "exit 5" in casts[3]["i"]
    packets = list(dpkt.pcap.Reader(io.BytesIO(exported(here, session, "pcap", tmp_path / "pcap"))))
    payload = b"".join(bytes(dpkt.ip.IP(data).data.data) for _, data in packets)
    assert masked.encode() in payload and b"typed 42" in payload and b"exit 5" in payload
    summary = here.agent.hostagent("sessions", "show", session, "--state-dir", here.agent.state)
    for part in ("uname", "say.sh", f"{top}/in/copied"):
        assert part in summary, summary
