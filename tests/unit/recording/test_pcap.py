"""Packets made from a recording, read back: whole connections, right numbers and checksums, and what was said."""

from __future__ import annotations

import io
from pathlib import Path

import dpkt
import pytest

from hostagent.protocols.postgres import messages as pg
from hostagent.recording import event
from hostagent.recording.capture import TURN_BYTES, SessionRecording
from hostagent.recording.pcap import SEGMENT, write_pcap
from hostagent.recording.reading import Recording, read_recording
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from tests.unit.recording.ssh_session import record

SYN, FIN = dpkt.tcp.TH_SYN, dpkt.tcp.TH_FIN


def packets(recording: Recording) -> list[tuple[float, dpkt.Packet]]:
    file = io.BytesIO()
    write_pcap(recording, file)
    file.seek(0)
    reader = dpkt.pcap.Reader(file)
    assert reader.datalink() == 101
    return [(at, dpkt.ip6.IP6(data) if data[0] >> 4 == 6 else dpkt.ip.IP(data)) for at, data in reader]


def valid(packet: dpkt.Packet) -> bool:
    """Whether the checksums are what they should be: computed again they are the same."""
    told = packet.data.sum
    packet.data.sum = 0
    if isinstance(packet, dpkt.ip.IP):
        header, packet.sum = packet.sum, 0
        bytes(packet)
        return bool(packet.sum == header and packet.data.sum == told)
    bytes(packet)
    return bool(packet.data.sum == told)


def streams(found: list[tuple[float, dpkt.Packet]]) -> dict[tuple[int, int], bytes]:
    """What each side of each connection said; each packet goes on where the last of its side ended."""
    said: dict[tuple[int, int], bytes] = {}
    following: dict[tuple[int, int], int] = {}
    for _, packet in found:
        tcp = packet.data
        side, other = (tcp.sport, tcp.dport), (tcp.dport, tcp.sport)
        assert tcp.seq == following.get(side, tcp.seq) and valid(packet)
        if not tcp.flags & SYN or tcp.flags & dpkt.tcp.TH_ACK:
            assert tcp.ack == following[other]
        following[side] = tcp.seq + len(tcp.data) + bool(tcp.flags & (SYN | FIN))
        said[side] = said.get(side, b"") + tcp.data
    return said


@pytest.mark.parametrize(("source", "destination"), [("10.0.0.9", "10.0.0.5"), ("2001:db8::9", "2001:db8::5")])
def test_a_session_is_one_connection(tmp_path: Path, source: str, destination: str) -> None:
    key = FlowKey(Endpoint(source, 40000), Endpoint(destination, 5432))
    recording = SessionRecording(tmp_path, event.FlowContext(FlowId("f00-1"), key, None, None))
    recording.capture("client", pg.query(b"SELECT 1"), 1_000)
    answer = pg.message(pg.DATA_ROW, bytes(3 * SEGMENT))
    recording.capture("upstream", answer, 2_000)
    recording.capture("client", pg.query(b"SELECT 2"), 3_000)
    read = read_recording(tmp_path / recording.close().name)
    found = packets(read)
    assert streams(found) == {
        (40000, 5432): pg.query(b"SELECT 1") + pg.query(b"SELECT 2"),
        (5432, 40000): answer,
    }
    assert found[0][1].data.flags == SYN and found[-2][1].data.flags & FIN
    assert found[-1][0] - found[0][0] == pytest.approx(0.002, abs=1e-4)
    assert found[0][0] == pytest.approx(read.header["started_ms"] / 1000 + 0.001, abs=1e-3)


def test_each_channel_is_a_connection(tmp_path: Path, context: event.FlowContext) -> None:
    found = streams(packets(read_recording(tmp_path / record(tmp_path, context).close().name)))
    assert found[(40000, 5432)] == b"hello\n" and found[(5432, 40000)] == "hello ä\noops\n".encode()
    assert found[(40001, 5432)] == b"ls\r"
    assert found[(40003, 5432)] == b"question" and found[(5432, 40003)] == b"answer"
    assert len(found) == 6  # the sftp channel's bytes are not recorded


def test_bytes_that_were_not_recorded_are_missing_packets(tmp_path: Path, context: event.FlowContext) -> None:
    recording = SessionRecording(tmp_path, context)
    recording.capture("upstream", bytes(TURN_BYTES + 5000), 1)
    recording.capture("client", b"x", 2)
    recording.capture("upstream", b"end", 3)
    found = packets(read_recording(tmp_path / recording.close().name))
    said = [packet.data for _, packet in found if packet.data.data and packet.data.sport == 5432]
    assert said[-1].seq - (said[-2].seq + len(said[-2].data)) == 5000


def test_a_recording_that_does_not_tell_its_source_has_a_made_up_one(
    tmp_path: Path, context: event.FlowContext
) -> None:
    recording = SessionRecording(tmp_path, context)
    recording.capture("client", b"x", 2)
    read = read_recording(tmp_path / recording.close().name)
    del read.header["source"]
    assert packets(read)[0][1].src == bytes([192, 0, 2, 1])


def test_a_recording_of_nothing_has_no_packets(tmp_path: Path, context: event.FlowContext) -> None:
    assert packets(read_recording(tmp_path / SessionRecording(tmp_path, context).close().name)) == []
