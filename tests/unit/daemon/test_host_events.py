"""Host events reach the journal, floods as counts; what cannot be written is remembered as the last error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hostagent.approvals.values import Fact
from hostagent.daemon import host_events
from hostagent.daemon.counts import Counts
from hostagent.daemon.host_events import HostEvents
from hostagent.recording.journal import Journal, RecordingError


def written(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(directory.glob("*.ndjson")) for line in file.read_text().splitlines()]


@pytest.fixture
def events(tmp_path: Path) -> HostEvents:
    return HostEvents(Journal(tmp_path, "host"), Counts())


def test_an_event_is_written_at_once(events: HostEvents, tmp_path: Path) -> None:
    events.tell("drift", "a rule was gone", found=["ip rule"])
    (line,) = written(tmp_path)
    assert "a rule was gone" in json.dumps(line)
    assert "ip rule" in json.dumps(line)


def test_a_flood_is_one_event_with_its_count(events: HostEvents, tmp_path: Path) -> None:
    for _ in range(1000):
        events.count("refused", "a governed process was refused", reason="udp")
    events.count("refused", "a governed process was refused", reason="raw")
    assert written(tmp_path) == []
    events.flush()
    lines = list(map(json.dumps, written(tmp_path)))
    assert len(lines) == 2
    assert '"times": 1000' in lines[0]
    assert '"times": 1' in lines[1]
    events.flush()
    assert len(written(tmp_path)) == 2


def test_too_many_kinds_are_counted_together(
    events: HostEvents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_events, "MAX_KINDS", 2)
    for number in range(10):
        events.count("refused", "refused", port=number)
    events.flush()
    lines = list(map(json.dumps, written(tmp_path)))
    assert len(lines) == 3
    assert '"times": 8' in lines[2]


class FullDisk:
    """A journal on a full disk."""

    def append(self, event: bytes) -> None:
        raise RecordingError("no space left on device")


def test_what_cannot_be_written_is_the_last_error() -> None:
    counts = Counts()
    HostEvents(FullDisk(), counts).tell("ready", "governing")  # type: ignore[arg-type]
    assert "no space left" in counts.last_error


def test_what_is_insisted_on_is_written_whole_or_not_at_all(
    events: HostEvents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [Fact("approval_given", "approved by bob", {"uid": 1001}), Fact("grant_made", "until then", {"until": 7})]
    events.insist(facts)
    assert [line["metadata"]["event_code"] for line in written(tmp_path)] == ["approval_given", "grant_made"]
    assert written(tmp_path)[0]["unmapped"]["facts"] == {"uid": 1001}

    class Full:
        def append_many(self, _: list[bytes]) -> None:
            raise RecordingError("no space left")

    monkeypatch.setattr(events, "_journal", Full())
    with pytest.raises(RecordingError):
        events.insist(facts)
    assert "no space left" in events._counts.last_error
    assert len(written(tmp_path)) == 2
