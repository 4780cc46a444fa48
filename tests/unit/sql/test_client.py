"""The worker's side: an analyzer that is dead, slow or garbling is no answer, and never an exception."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.sql import framing
from hostagent.sql.analysis import Analysis, Unanalyzed
from hostagent.sql.client import DEAD, analyze, rewrite
from hostagent.sql.masking.values import Mask, MaskKind, Masks, Result, Rewritten, Unsafe
from hostagent.sql.postgres import analyze as pure


async def ask(path: Path, reply: bytes, *, close: bool = True, timeout: float = 5) -> Analysis | Unanalyzed:
    """Asks a server that sends these bytes whatever it is asked."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = framing.length(await reader.readexactly(framing.HEADER))
        assert framing.decode(await reader.readexactly(size))["text"] == "SELECT 1"
        writer.write(reply)
        if not close:
            await done.wait()
        writer.close()

    async with await asyncio.start_unix_server(serve, str(path)):
        result = await analyze(str(path), "SELECT 1", timeout)
        done.set()
        return result


MASKS = Masks((Mask("m", MaskKind.NULL, ("app.users.ssn",)),))
GOOD = pure("SELECT 1")
assert isinstance(GOOD, Analysis)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (framing.encode({"analysis": GOOD.to_json()}), GOOD),
        (framing.encode({"unanalyzed": ["because", 'at "x"', 3]}), Unanalyzed("because", 'at "x"', 3)),
        (b"", DEAD),
        (b"\0\0", DEAD),
        (b"\0\0\0\5{}", DEAD),
        (b"\0\0\0\2{}", DEAD),
        (b"\0\0\0\2[]", DEAD),
        (b"\0\0\0\2\xff\xff", DEAD),
        (b"\xff\xff\xff\xff", DEAD),
        (framing.encode({"analysis": {}}), DEAD),
        (framing.encode({"analysis": None}), DEAD),
        (framing.encode({"analysis": {"statements": [], "recorded_text": None}}), DEAD),
        (framing.encode({"analysis": {"statements": [{"kinds": ["magic"]}], "recorded_text": None}}), DEAD),
    ],
)
def test_replies(tmp_path: Path, reply: bytes, expected: Analysis | Unanalyzed) -> None:
    assert asyncio.run(ask(tmp_path / "s", reply)) == expected


def test_a_slow_analyzer_is_no_answer_in_time(tmp_path: Path) -> None:
    began = time.monotonic()
    assert asyncio.run(ask(tmp_path / "s", b"\0\0", close=False, timeout=0.2)) == DEAD
    assert time.monotonic() - began < 2


def test_no_analyzer_is_no_answer(tmp_path: Path) -> None:
    assert asyncio.run(analyze(str(tmp_path / "none"), "SELECT 1", 1)) == DEAD
    assert asyncio.run(rewrite(str(tmp_path / "none"), "SELECT 1", "", MASKS, 1)) == Unsafe(DEAD.reason)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"result": {"unsafe": ["because", "fix"]}}, Unsafe("because", "fix")),
        ({"result": {"rewritten": ["SELECT 1", [], [], None, [], [False, False], [], [], []]}}, Rewritten("SELECT 1")),
        ({"result": {"rewritten": [None, [], [], None]}}, Unsafe(DEAD.reason)),
        ({"result": None}, Unsafe(DEAD.reason)),
        ({"analysis": GOOD.to_json()}, Unsafe(DEAD.reason)),
        ({"unanalyzed": ["because", "", 0]}, Unsafe(DEAD.reason)),
    ],
)
def test_replies_with_masks(tmp_path: Path, reply: dict[str, object], expected: Result) -> None:
    async def asked() -> Result:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            size = framing.length(await reader.readexactly(framing.HEADER))
            message = framing.decode(await reader.readexactly(size))
            assert Masks.from_json(message["masks"]) == MASKS
            writer.write(framing.encode(reply))
            writer.close()

        async with await asyncio.start_unix_server(serve, str(tmp_path / "s")):
            return await rewrite(str(tmp_path / "s"), "SELECT 1", "", MASKS, 5)

    assert asyncio.run(asked()) == expected


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    try:
        message = framing.decode(body)
    except ValueError:
        return
    assert isinstance(message, dict)


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none())))
def test_a_frame_gives_its_message_back(message: dict[str, object]) -> None:
    frame = framing.encode(message)
    assert framing.length(frame[: framing.HEADER]) == len(frame) - framing.HEADER
    assert framing.decode(frame[framing.HEADER :]) == message
