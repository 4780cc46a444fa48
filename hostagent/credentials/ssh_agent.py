"""A key that an ssh-agent holds: it signs there, on request, and nobody here ever has it.

Source: draft-ietf-sshm-ssh-agent, 5.6 (signing): SSH_AGENTC_SIGN_REQUEST, SSH_AGENT_SIGN_RESPONSE.
"""

from __future__ import annotations

import asyncio
import struct

from hostagent.credentials.secret import Unavailable

SIGN_REQUEST, SIGN_RESPONSE = 13, 14
FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}
MAX_ANSWER = 64 << 10  # bytes; a signature has less than 2 KiB
SECONDS = 30.0  # an agent may ask its owner


async def sign(socket: str, key: bytes, data: bytes, algorithm: str) -> bytes:
    """The signature, with the name of its algorithm before it. Raises Unavailable."""
    body = bytes((SIGN_REQUEST,)) + _string(key) + _string(data) + struct.pack(">I", FLAGS.get(algorithm, 0))
    try:
        async with asyncio.timeout(SECONDS):
            answer = await _asked(socket, _string(body))
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise Unavailable(f"the ssh-agent at {socket} did not answer: {error or 'in time'}", "is it there?") from None
    if answer[:1] != bytes((SIGN_RESPONSE,)) or len(answer) < 5 or len(answer) != 5 + _number(answer[1:5]):
        raise Unavailable(f"the ssh-agent at {socket} did not sign", "ssh-add the key, and see `ssh-add -L`")
    signature = answer[5:]
    if signature[4 : 4 + _number(signature[:4])] != algorithm.encode():
        raise Unavailable(f"the ssh-agent at {socket} signed with another algorithm than {algorithm}")
    return signature


async def _asked(socket: str, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(request)
        size = _number(await reader.readexactly(4))
        return await reader.readexactly(size) if size <= MAX_ANSWER else b""
    finally:
        writer.close()


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
