"""One line a thing that happened, that a machine can split again."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator

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
