"""The journal's own protocol, to a datagram socket that stands for the journal."""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.daemon import log
from hostagent.daemon.log_journal import MAX_VALUE, Journald, encode, is_stream


def decode(data: bytes) -> dict[str, str]:
    """What a journal reads, by its description of the protocol."""
    fields = {}
    while data:
        head, _, data = data.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", data[:8])
            value, data = data[8 : 8 + length], data[8 + length + 1 :]
        assert name.decode() not in fields
        fields[name.decode()] = value.decode()
    return fields


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        sock.settimeout(5)
        yield sock


def test_one_entry_is_one_datagram_with_its_fields(journal: socket.socket) -> None:
    fields = {"MESSAGE": "event=drift found=x", "PRIORITY": 4, "HOSTAGENT_TEXT": "two\nlines=yes\n"}
    Journald(Path(journal.getsockname())).send(fields)
    assert decode(journal.recv(65536)) == {name: str(value) for name, value in fields.items()}


def test_an_entry_beyond_a_datagram_comes_as_a_sealed_file(journal: socket.socket) -> None:
    fields = {f"HOSTAGENT_F{number}": "x" * MAX_VALUE for number in range(16)}
    Journald(Path(journal.getsockname())).send(fields)
    data, descriptors, _, _ = socket.recv_fds(journal, 65536, 1)
    assert data == b""
    with open(descriptors[0], "rb") as file:  # noqa: PTH123
        assert decode(os.pread(file.fileno(), 2 << 20, 0)) == fields


def test_without_a_journal_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journald(tmp_path / "nobody").send({"MESSAGE": "x"})


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_whatever_is_said_is_read_back(fields: dict[str, str]) -> None:
    assert decode(encode(fields)) == fields


def test_the_stream_is_known_by_its_device_and_inode() -> None:
    status = os.fstat(0)
    assert is_stream({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}, 0)
    assert not is_stream({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"}, 0)
    assert not is_stream({}, 0)


def test_the_daemon_finds_the_journal_by_its_stream_and_writes_fields_there(
    journal: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = logging.getLogger("hostagent")
    kept = (ours.handlers[:], ours.level, ours.propagate)
    status = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    monkeypatch.setattr(log, "Journald", lambda: Journald(Path(journal.getsockname())))
    try:
        log.set_up()
        log.warning("drift", text="put back", found=["IPv4 rule"])
        logging.getLogger("hostagent.kernel").error("two\nlines")
    finally:
        ours.handlers[:], ours.level, ours.propagate = kept
    first, second = decode(journal.recv(65536)), decode(journal.recv(65536))
    assert first["HOSTAGENT_EVENT"] == "drift"
    assert first["HOSTAGENT_FOUND"] == "['IPv4 rule']"
    assert (first["PRIORITY"], first["MESSAGE_ID"]) == ("4", log.MESSAGE_IDS["drift"])
    assert (second["HOSTAGENT_EVENT"], second["HOSTAGENT_FROM"]) == ("message", "hostagent.kernel")
    assert "\n" not in second["MESSAGE"]
