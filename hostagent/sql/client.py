"""How a worker asks the analyzer process. Whatever goes wrong on the way is Unanalyzed, which policy denies."""

from __future__ import annotations

import asyncio
from typing import Any

from hostagent.sql import framing
from hostagent.sql.analysis import Analysis, Unanalyzed
from hostagent.sql.masking.values import Masks, Result, Unsafe, result_from_json
from hostagent.values.mysql import MysqlSettings

DEAD = Unanalyzed("the analyzer did not answer")


async def analyze(
    path: str,
    text: str,
    timeout: float,
    *,
    standard_conforming_strings: bool = True,
    mysql: MysqlSettings | None = None,
) -> Analysis | Unanalyzed:
    """The analysis of a text by the analyzer that listens on the unix socket `path`, within `timeout` seconds.

    `mysql`: the text is one of a MySQL session with these settings; None: PostgreSQL.
    Never raises for a dead, slow or garbling analyzer: the reason then says that it did not answer.
    """
    asked: dict[str, Any] = {"text": text, "standard_conforming_strings": standard_conforming_strings}
    if mysql is not None:
        asked = {"text": text, "mysql": mysql.to_json()}
    request = framing.encode(asked)
    try:
        async with asyncio.timeout(timeout):
            return _read(await _exchange(path, request))
    except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        # TimeoutError and IncompleteReadError are among them
        return DEAD


async def rewrite(
    path: str, text: str, catalog: str, masks: Masks, timeout: float, *, mysql: MysqlSettings | None = None
) -> Result:
    """The text with masks, by the analyzer that listens on `path`; `catalog` is the answer of the catalog query.

    `mysql`: the text is one of a MySQL session with these settings; None: PostgreSQL.

    An empty `catalog` is none: where one is needed, the result is NeedsMore. Never raises for a dead, slow or garbling
    analyzer: the result is then Unsafe.
    """
    asked = {"text": text, "masks": masks.to_json(), "catalog": catalog}
    if mysql is not None:
        asked["mysql"] = mysql.to_json()
    request = framing.encode(asked)
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
        reason, syntax, position = reply["unanalyzed"]
        return Unanalyzed(str(reason), str(syntax), int(position))
    return Analysis.from_json(reply["analysis"])
