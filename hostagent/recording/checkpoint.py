"""Checkpoints: now and then the heads of all chains are signed, so that a chain cannot be written anew behind us.

    line = {"number":N,"time":ms,"previous":"P","heads":{"W":{"seq":…,"hash":"…"},…}  ,"signature":"S"}  LF
           └───────────────────────────── signed (Ed25519) ─────────────────────────┘

N counts from 1, P is the SHA-256 of the line before (without LF; 64 zeros for the first).
What is written after the last checkpoint is protected by its chain alone; the keys lie where workers cannot read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hostagent.errors import FileError, Location
from hostagent.private_file import make_private
from hostagent.recording.chain import GENESIS, Head, read_link
from hostagent.recording.directory import Directory, journal_files
from hostagent.recording.encode import now_ms
from hostagent.recording.journal import RecordingError, last_line

_SIGNATURE = re.compile(rb',"signature":"([0-9a-f]{128})"\}')
_SIGNATURE_TAIL = len(b',"signature":""}') + 128


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One verified checkpoint: number, time (ms since the epoch), its predecessor's hash, the heads it signed."""

    number: int
    time: int
    previous: str
    heads: dict[str, Head]


class Checkpointer:
    """Signs the heads of all chains below a state directory."""

    def __init__(self, directory: Directory) -> None:
        """Make the key pair where there is none. Raises RecordingError, or FileError for an unusable key."""
        self._directory = directory
        self._last_heads: dict[str, Head] = {}
        try:
            self._key = _load_or_make(directory)
            self._number, self._previous = self._resume()
        except OSError as error:
            raise RecordingError(f"{error.filename or directory.path}: {error.strerror}", _HINT) from None

    def checkpoint(self) -> bool:
        """Append a checkpoint; False when nothing was written to any chain since the last. Raises RecordingError."""
        try:
            heads = chain_heads(self._directory.journal)
            if heads == self._last_heads:
                return False
            line = self._line(heads)
            with self._directory.checkpoints.open("ab", buffering=0) as file:
                size = file.tell()
                if file.write(line + b"\n") != len(line) + 1:
                    file.truncate(size)
                    raise RecordingError(f"{self._directory.checkpoints}: the checkpoint could not be written", _HINT)
                os.fsync(file.fileno())
        except OSError as error:
            raise RecordingError(f"{self._directory.checkpoints}: {error.strerror}", _HINT) from None
        self._number += 1
        self._previous = hashlib.sha256(line).hexdigest()
        self._last_heads = heads
        return True

    def _line(self, heads: dict[str, Head]) -> bytes:
        signed = {
            "number": self._number + 1,
            "time": now_ms(),
            "previous": self._previous,
            "heads": {writer: {"seq": head.seq, "hash": head.hash} for writer, head in heads.items()},
        }
        body = json.dumps(signed, separators=(",", ":")).encode()[:-1]
        return b'%b,"signature":"%b"}' % (body, self._key.sign(body).hex().encode())

    def _resume(self) -> tuple[int, str]:
        path = self._directory.checkpoints
        if not path.exists():
            return 0, GENESIS
        last, unfinished = last_line(path)
        if unfinished:  # a crash while signing: nothing was promised by half a line
            os.truncate(path, path.stat().st_size - len(unfinished))
        if last is None:
            return 0, GENESIS
        found = read_checkpoint(last, self._key.public_key())
        if found is None:
            hint = "run `hostagent audit verify`, keep the file as evidence elsewhere, and start again"
            raise RecordingError(f"{path}: the last checkpoint is not as it was written", hint)
        self._last_heads = found.heads
        return found.number, hashlib.sha256(last).hexdigest()


def chain_heads(journal: Path) -> dict[str, Head]:
    """The last sound record of each chain, as the files say now."""
    heads: dict[str, Head] = {}
    for file in reversed(journal_files(journal)):
        if file.writer in heads:
            continue
        line, _ = last_line(file.path)
        link = read_link(line) if line is not None else None
        if link is not None and link.sound and link.writer == file.writer:
            heads[file.writer] = Head(link.seq, link.hash)
    return dict(sorted(heads.items()))


def read_checkpoint(line: bytes, key: Ed25519PublicKey) -> Checkpoint | None:
    """The checkpoint of a line (without LF), or None when its signature is not of this key."""
    match = _SIGNATURE.fullmatch(line, max(0, len(line) - _SIGNATURE_TAIL))
    if match is None:
        return None
    body = line[:-_SIGNATURE_TAIL]
    try:
        key.verify(bytes.fromhex(match[1].decode()), body)
    except InvalidSignature:
        return None
    value = json.loads(body + b"}")
    heads = {writer: Head(head["seq"], head["hash"]) for writer, head in value["heads"].items()}
    return Checkpoint(value["number"], value["time"], value["previous"], heads)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """The key in a PEM file. Raises OSError, FileError."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except ValueError:
        raise FileError(Location(str(path)), "this is no public key in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise FileError(Location(str(path)), "this is no Ed25519 key")
    return key


def _load_or_make(directory: Directory) -> Ed25519PrivateKey:
    path = directory.private_key
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except ValueError:
            raise FileError(Location(str(path)), "this is no private key in PEM form") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise FileError(Location(str(path)), "this is no Ed25519 key")
    else:
        key = Ed25519PrivateKey.generate()
        form = serialization.PrivateFormat.PKCS8
        make_private(path, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    if not directory.public_key.exists():
        form_public = serialization.PublicFormat.SubjectPublicKeyInfo
        public = key.public_key().public_bytes(serialization.Encoding.PEM, form_public)
        make_private(directory.public_key, public, 0o644)
    return key


_HINT = "free space on its file system, and check its owner and mode"
