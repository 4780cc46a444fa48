"""How a worker asks the analyzer process. Whatever goes wrong on the way is Unanalyzed, which policy denies."""

from __future__ import annotations

import asyncio

from hostagent.sql import framing
from hostagent.sql.analysis import Analysis, Unanalyzed
from hostagent.sql.masking.values import Masks, Result, Unsafe, result_from_json

DEAD = Unanalyzed("the analyzer did not answer")


async def analyze(
    path: str, text: str, timeout: float, *, standard_conforming_strings: bool = True
) -> Analysis | Unanalyzed:
    """The analysis of a text by the analyzer that listens on the unix socket `path`, within `timeout` seconds.

    Never raises for a dead, slow or garbling analyzer: the reason then says that it did not answer.
    """
    request = framing.encode({"text": text, "standard_conforming_strings": standard_conforming_strings})
    try:
        async with asyncio.timeout(timeout):
            return _read(await _exchange(path, request))
    except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        # TimeoutError and IncompleteReadError are among them
        return DEAD


async def rewrite(path: str, text: str, catalog: str, masks: Masks, timeout: float) -> Result:
    """The text with masks, by the analyzer that listens on `path`; `catalog` is the answer of the catalog query.

    An empty `catalog` is none: where one is needed, the result is NeedsMore. Never raises for a dead, slow or garbling
    analyzer: the result is then Unsafe.
    """
    request = framing.encode({"text": text, "masks": masks.to_json(), "catalog": catalog})
    try:
        async with asyncio.timeout(timeout):
            return result_from_json(framing.decode(await _exchange(path, request))["result"])
    except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return Unsafe(DEAD.reason)


async def _exchange(path: str, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.readexactly(framing.length(await reader.readexactly(framing.HEADER)))
    finally:
        writer.transport.abort()


def _read(body: bytes) -> Analysis | Unanalyzed:
    reply = framing.decode(body)
    if "unanalyzed" in reply:
        return Unanalyzed(str(reply["unanalyzed"]))
    return Analysis.from_json(reply["analysis"])
