"""One line a thing that happened, that a machine can split again."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hostagent.daemon import log


@pytest.fixture(autouse=True)
def logger() -> Iterator[None]:
    ours = logging.getLogger("hostagent")
    kept = (ours.handlers[:], ours.level, ours.propagate)
    yield
    ours.handlers[:], ours.level, ours.propagate = kept


def test_plain_values_are_plain_and_others_quoted() -> None:
    line = log.line("refused", {"pid": 7, "why": 'said "no"\nlevel=info event=ready', "none": ""})
    assert line == 'event=refused pid=7 why="said \\"no\\"\\nlevel=info event=ready" none=""'
    assert len(line.splitlines()) == 1
    assert len(shlex.split(line)) == 4


def test_lines_go_to_standard_error_with_their_level(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    log.info("child_started", name="worker0")
    log.error("child_ended", name="worker0")
    logging.getLogger("hostagent.kernel").warning("a %s", "word")
    assert capsys.readouterr().err.splitlines() == [
        "level=info event=child_started name=worker0",
        "level=error event=child_ended name=worker0",
        'level=warning event=message from=hostagent.kernel text="a word"',
    ]


def test_under_systemd_the_journal_is_told_with_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[Mapping[str, object]] = []

    class Journal:
        def send(self, fields: Mapping[str, object]) -> None:
            if "HOSTAGENT_LOST" in fields:
                raise BlockingIOError
            told.append(fields)

    monkeypatch.setattr(log, "_under_systemd", lambda: True)
    monkeypatch.setattr(log, "Journald", Journal)
    log.set_up()
    cgroup = "/system.slice/ci-runner.service/job"
    log.warning("approval_asked", text="a statement waits", request="f.1", flow="f", cgroup=cgroup)
    log.error("odd one", lost="yes")
    (fields,) = told
    assert fields["MESSAGE"] == f'event=approval_asked text="a statement waits" request=f.1 flow=f cgroup={cgroup}'
    assert (fields["PRIORITY"], fields["SYSLOG_IDENTIFIER"]) == (4, "hostagentd")
    assert (fields["HOSTAGENT_EVENT"], fields["HOSTAGENT_FLOW"], fields["HOSTAGENT_DECISION"]) == (
        "approval_asked",
        "f",
        "f.1",
    )
    assert (fields["HOSTAGENT_ACTOR_UNIT"], fields["HOSTAGENT_ACTOR_CGROUP"]) == ("ci-runner.service", cgroup)
    assert fields["MESSAGE_ID"] == log.MESSAGE_IDS["approval_asked"]
    assert capsys.readouterr().err == "level=error event=odd one lost=yes\n"  # what the journal does not take


def test_message_ids_are_128_bits_and_each_its_own() -> None:
    ids = list(log.MESSAGE_IDS.values())
    assert len(set(ids)) == len(ids)
    assert all(len(bytes.fromhex(one)) == 16 for one in ids)
