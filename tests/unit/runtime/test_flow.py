"""The pump: what one chunk of a client says is decided, recorded, and goes on in one write."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hostagent.policy.load import load_policy
from hostagent.recording.capture import SessionRecording
from hostagent.recording.directory import journal_files
from hostagent.recording.event import FlowContext
from hostagent.recording.journal import Journal
from hostagent.recording.reading import Captured, Note, read_recording
from hostagent.runtime import gate as gate_module
from hostagent.runtime.flow import Flow
from hostagent.runtime.gate import Gate
from hostagent.runtime.limits import Limits
from hostagent.runtime.opening import Opened
from hostagent.sql.postgres import analyze
from hostagent.values.actor import Actor, Process
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from hostagent.values.target import Target, UpstreamTls
from tests.bench.bench_postgres_session import EXECUTE, TEXT, msg, ready_session
from tests.unit.protocols.postgres.wire import bind, parse, query

POLICY = """
version: 1
targets: [{name: orders, protocol: postgres, match: {addresses: [10.0.0.5]}, tls: {upstream: "off"}}]
rules:
  - {name: read, actors: "*", targets: orders, allow: {kinds: any, relations: "*"}}
"""
KEY = FlowKey(Endpoint("10.0.0.1", 4000), Endpoint("10.0.0.5", 5432))
ACTOR = Actor(Process(1, 1, "/usr/bin/psql", ("psql",), "psql", 0), (), 0, "root", 0, "root", None, "", "/a", ())
BATCH = parse(TEXT.decode()) + bind() + msg("D", b"P\0") + EXECUTE + msg("S")


class Wire(asyncio.Transport):
    """A transport that keeps what it was told to write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Stage:
    """A flow with a session that is logged in, a real journal and a real recording."""

    def __init__(self, folder: Path) -> None:
        (folder / "policy.yaml").write_text(POLICY)
        policy = load_policy(folder)
        self.journal = folder / "journal"
        limits = Limits(policy, cast(Any, None))
        self.gate = Gate(policy, Journal(self.journal, "worker0"), "analyzer.sock", self._spawn, limits)
        self.recording: SessionRecording | None = None
        self._sessions = folder / "sessions"
        self._sessions.mkdir()
        worker = SimpleNamespace(gate=self.gate, start_recording=self._record, spawn=self._spawn, limits=limits)
        flow = self.flow = Flow(cast(Any, worker), FlowId("f1"))
        self.client, self.upstream = Wire(), Wire()
        for leg, wire in ((flow.client, self.client), (flow.upstream, self.upstream)):
            leg._transport, leg._holds = wire, 0
        target = Target("orders", "postgres", UpstreamTls.OFF)
        context = FlowContext(flow.id, KEY, ACTOR, target)
        session = ready_session()
        for left in (session.captured, session.to_client, session.to_upstream):
            left.clear()
        flow._opened = Opened(ACTOR, target, KEY.destination, context, session)
        flow._session = session
        flow.standing.context, flow.standing.target_name = context, target.name

    def _record(self, context: FlowContext) -> SessionRecording:
        self.recording = SessionRecording(self._sessions, context)
        return self.recording

    def _spawn(self, work: Coroutine[object, object, None]) -> object:
        return asyncio.get_running_loop().create_task(cast(Any, work))

    async def says(self, data: bytes) -> None:
        """The client sends this, and its first statement is decided and written."""
        self.flow.received(self.flow.client, data)
        async with asyncio.timeout(5):
            while not self.upstream.writes:
                await asyncio.sleep(0.001)

    def codes(self) -> list[str]:
        """The event codes in the journal."""
        (file,) = journal_files(self.journal)
        lines = file.path.read_text().splitlines()
        return [json.loads(line)["metadata"]["event_code"] for line in lines]

    def entries(self) -> list[str]:
        """The recording, an entry a word."""
        assert self.recording is not None
        digest = self.recording.close()
        return [_word(entry) for entry in read_recording(self._sessions / digest.name).entries]


def _word(entry: object) -> str:
    if isinstance(entry, Note):
        return entry.kind
    assert isinstance(entry, Captured)
    return f"{entry.leg} {chr(entry.data[0])}"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    async def here(_path: str, text: str, _timeout: float, **_: object) -> object:
        return analyze(text)

    monkeypatch.setattr(gate_module, "analyze", here)


def test_a_batch_that_is_remembered_goes_on_in_one_write_once_it_is_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(tmp_path)
        await stage.says(BATCH)
        stage.upstream.writes.clear()
        before = stage.codes()
        stage.flow.received(stage.flow.client, BATCH)
        assert stage.upstream.writes == [], "nothing goes on that is not recorded"
        stage.gate.flush()
        assert stage.upstream.writes == [BATCH]
        assert stage.codes()[len(before) :] == ["decided"]
        assert stage.entries() == ["client P", "decision", "client B"] * 2

    asyncio.run(main())


def test_a_statement_stands_in_the_recording_behind_its_decision(tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(tmp_path)
        await stage.says(query("SELECT 1"))
        stage.flow.received(stage.flow.client, query("SELECT 2"))
        stage.gate.flush()
        assert stage.upstream.writes == [query("SELECT 1"), query("SELECT 2")]
        assert stage.entries() == ["decision", "client Q"] * 2

    asyncio.run(main())
