"""The channel: calls in both directions, and what happens when the other side errs or goes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hostagent.errors import HostError
from hostagent.runtime.channel import MAX_FRAME, Channel, ChannelError

Handlers = dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]


async def echo(args: dict[str, Any]) -> dict[str, Any]:
    return args


async def refuse(_args: dict[str, Any]) -> dict[str, Any]:
    raise HostError("not today")


async def never(_args: dict[str, Any]) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


def talk(scenario: Callable[[Channel, Channel, socket.socket], Awaitable[None]], handlers: Handlers) -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        left, right = Channel(ours, handlers), Channel(theirs, handlers)
        serving = [asyncio.create_task(left.run()), asyncio.create_task(right.run())]
        try:
            await scenario(left, right, theirs)
        finally:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    asyncio.run(run())


def test_both_sides_can_ask() -> None:
    async def scenario(left: Channel, right: Channel, _sock: socket.socket) -> None:
        answers = await asyncio.gather(left.call("echo", {"n": 1}), right.call("echo", {"n": 2}))
        assert answers == [{"n": 1}, {"n": 2}]

    talk(scenario, {"echo": echo})


def test_a_refusal_and_an_unknown_operation_are_errors() -> None:
    async def scenario(left: Channel, _right: Channel, _sock: socket.socket) -> None:
        with pytest.raises(ChannelError, match="not today"):
            await left.call("refuse", {})
        with pytest.raises(ChannelError, match="unknown operation nothing"):
            await left.call("nothing", {})
        assert await left.call("echo", {}) == {}  # and the channel goes on

    talk(scenario, {"echo": echo, "refuse": refuse})


def test_no_answer_is_an_error_in_time() -> None:
    async def scenario(left: Channel, _right: Channel, _sock: socket.socket) -> None:
        with pytest.raises(ChannelError, match="no answer to never"):
            await left.call("never", {}, timeout=0.05)

    talk(scenario, {"never": never})


def test_who_waits_is_told_when_the_other_side_goes() -> None:
    async def scenario(left: Channel, _right: Channel, sock: socket.socket) -> None:
        asyncio.get_running_loop().call_later(0.05, sock.shutdown, socket.SHUT_RDWR)
        with pytest.raises(ChannelError, match="gone"):
            await left.call("never", {})
        with pytest.raises(ChannelError, match="gone"):
            await left.call("echo", {})

    talk(scenario, {"never": never})


def test_a_frame_beyond_the_limit_ends_the_channel() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        channel = Channel(ours, {})
        theirs.sendall((MAX_FRAME + 1).to_bytes(4, "big"))
        with pytest.raises(ExceptionGroup) as caught:
            await channel.run()
        assert caught.group_contains(ChannelError, match="limit")
        theirs.close()

    asyncio.run(run())
