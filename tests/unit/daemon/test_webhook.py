"""The webhook as hostagent.yaml asks for it: its section, its key, and the way from a signed answer to the queue."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "policy"))
from policy_samples import actor

from hostagent.approvals.config import ApprovalsConfig, address_of
from hostagent.approvals.signature import signed_headers
from hostagent.approvals.values import Fact
from hostagent.approvals.wire import Held, to_json
from hostagent.daemon.approvals import Approvals
from hostagent.daemon.config import load_config
from hostagent.daemon.policies import PolicyInForce
from hostagent.daemon.webhook import join_webhook
from hostagent.errors import FileError, HostError
from hostagent.policy.problems import FileErrors

POLICY = """version: 1
rules:
  - {name: writes, actors: '*', targets: '*', approve: {kinds: write, approvers: {webhook: zoe}}}
"""
KEY = "a key of the operator's"


def config(text: str) -> ApprovalsConfig:
    return ApprovalsConfig.model_validate_json(json.dumps({"webhook": json.loads(text)}))


@pytest.mark.parametrize(
    ("section", "error"),
    [
        ("{key: {file: /k}}", "`url` or `listen` is needed"),
        ("{url: https://x/y}", "`key` is missing"),
        ("{url: http://example.com/, key: {file: /k}}", "https is needed"),
        ("{url: ftp://example.com/, key: {file: /k}}", "not a URL"),
        ("{url: https://u:p@x/, key: {file: /k}}", "not a URL"),
        ("{url: 'https://x:y/', key: {file: /k}}", "not a URL"),
        ("{url: 'https://x/#a', key: {file: /k}}", "no fragment"),
        ("{listen: '0.0.0.0:80', key: {file: /k}}", "a loopback address"),
        ("{listen: '8320', key: {file: /k}}", "a loopback address"),
        ("{listen: '127.0.0.1:0', key: {file: /k}}", "a loopback address"),
        ("{listen: '127.0.0.1:8320', key: {secret: abc}}", "a secret never stands"),
        ("{listen: '127.0.0.1:8320', key: {file: k}}", "an absolute path"),
        ("{listen: '127.0.0.1:8320', key: {}}", "exactly one of"),
        ("{adress: x, key: {file: /k}}", "unknown key `adress`"),
    ],
)
def test_a_bad_section_is_refused(tmp_path: Path, section: str, error: str) -> None:
    file = tmp_path / "hostagent.yaml"
    file.write_text(f"govern: {{cgroups: [/a]}}\napprovals:\n  webhook: {section}\n")
    with pytest.raises(FileErrors, match=error):
        load_config(file)


def test_a_good_section(tmp_path: Path) -> None:
    file = tmp_path / "hostagent.yaml"
    file.write_text(
        "govern: {cgroups: [/a]}\napprovals:\n"
        "  webhook: {url: 'https://x.example/hook', listen: '[::1]:8320', key: {systemd: webhook}}\n"
    )
    webhook = load_config(file).approvals.webhook
    assert webhook is not None
    assert (webhook.url, webhook.key.systemd) == ("https://x.example/hook", "webhook")
    assert address_of(webhook.listen or "") == ("::1", 8320)
    file.write_text("govern: {cgroups: [/a]}\n")
    assert load_config(file).approvals.webhook is None


def test_a_key_that_is_too_short_or_shared_is_refused(tmp_path: Path) -> None:
    key, file = tmp_path / "key", tmp_path / "hostagent.yaml"
    section = config(json.dumps({"url": "http://127.0.0.1:1/", "key": {"file": str(key)}})).webhook
    assert section is not None
    approvals = Approvals(_policies(tmp_path), _nobody, lambda _: None)
    key.write_text("short")
    key.chmod(0o600)
    with pytest.raises(FileError, match="too short"):
        join_webhook(approvals, section, file)
    key.write_text(KEY)
    key.chmod(0o644)
    with pytest.raises(FileError, match="other users can read"):
        join_webhook(approvals, section, file)
    key.chmod(0o600)
    assert len(join_webhook(approvals, section, file)) == 1


def test_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        section = config(json.dumps({"listen": listen, "key": {"file": str(key)}})).webhook
        assert section is not None
        with pytest.raises(HostError, match=f"cannot be taken at {listen}"):
            join_webhook(Approvals(_policies(tmp_path), _nobody, lambda _: None), section, tmp_path)


def test_a_request_goes_out_and_its_signed_answer_lets_it_through(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    facts: list[Fact] = []
    out: list[bytes] = []

    async def hook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-l"))
        out.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async def go() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = await asyncio.start_server(hook, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        section = config(json.dumps({"url": url, "listen": f"127.0.0.1:{port}", "key": {"file": str(key)}})).webhook
        assert section is not None
        approvals = Approvals(_policies(tmp_path), _nobody, facts.extend)
        running = [asyncio.ensure_future(work()) for work in join_webhook(approvals, section, tmp_path)]
        held = Held("f-1.1", "f-1", actor("/a"), "db", "DELETE FROM t", (), "DELETE FROM t", ("writes",))
        await approvals.handlers("worker0")["approval.ask"](to_json(held))
        answer = await _post(port, "/v1/approvals/f-1.1", {"approver": "zoe", "verdict": "approve", "reason": "ok"})
        async with asyncio.timeout(5):
            while len(out) < 2:
                await asyncio.sleep(0.01)
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        server.close()
        return answer

    answer = asyncio.run(go())
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"state": "approved"}')
    assert {json.loads(body)["event"] for body in out} == {"asked", "approved"}
    given = next(fact for fact in facts if fact.kind == "approval_given")
    assert (given.details["approver"], given.details["via"], given.details["uid"]) == ("zoe", "webhook", "")


async def _post(port: int, path: str, message: dict[str, str]) -> bytes:
    body = json.dumps(message).encode()
    headers = signed_headers(KEY.encode(), "in", int(time.time()), secrets.token_hex(16), path, body)
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *(f"{n}: {v}" for n, v in headers)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    answer = await reader.read()
    writer.close()
    return answer


async def _nobody(worker: str, operation: str, args: dict[str, object]) -> dict[str, object]:
    return {}


def _policies(tmp_path: Path) -> PolicyInForce:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return PolicyInForce(tmp_path / "policy.yaml")
