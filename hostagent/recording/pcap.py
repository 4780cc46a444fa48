"""A recording as packets: what was said, decrypted and masked as it was recorded, in TCP connections made up for it.

    a session without channels   one connection between the flow's own ends
    each channel of an SSH one   one connection: the flow's ends, the source port counted on by channels; the stream of
                                 a direct-tcpip channel goes to the port that it was forwarded to, so it is dissected

Sequence numbers count the bytes; those that were not recorded are missing packets. Stdout and stderr are one direction.
Written with dpkt, link type RAW (tcpdump.org/linktypes.html: each packet begins with its IP header).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

import dpkt  # type: ignore[import-untyped]

from hostagent.recording.capture import INPUT
from hostagent.recording.channels import channels, has_channels
from hostagent.recording.encode import Json
from hostagent.recording.reading import Captured, Entry, Recording, Spoken

End = tuple[str, int]  # address and port
SEGMENT: Final = 16 << 10  # bytes of a packet: fewer packets than a real one, and readers take up to 64 KiB
_LINKTYPE_RAW: Final = 101
_SNAPLEN: Final = 65535
_FIRST: Final = 1  # sequence number of a connection's first packet
_WINDOW: Final = 65535
_SOURCES: Final = {4: ("192.0.2.1", 40000), 6: ("2001:db8::1", 40000)}  # where none is told (RFC 5737, RFC 3849)


def write_pcap(recording: Recording, file: BinaryIO) -> None:
    """The recording as a pcap file."""
    packets = sorted(_packets(recording), key=lambda packet: packet[0])
    writer = dpkt.pcap.Writer(file, snaplen=_SNAPLEN, linktype=_LINKTYPE_RAW)
    started = int(recording.header["started_ms"]) / 1000
    for at_us, packet in packets:
        writer.writepkt_time(packet, started + at_us / 1_000_000)


def _packets(recording: Recording) -> Iterator[tuple[int, bytes]]:
    source, destination = _ends(recording.header)
    if not has_channels(recording):
        yield from _connection(recording.entries, source, destination)
        return
    for index, channel in enumerate(channels(recording)):
        own = (source[0], (source[1] + index) & 0xFFFF or 1)
        yield from _connection(channel.entries, own, _forwarded(channel.destination, destination))


def _connection(entries: Iterable[Entry], source: End, destination: End) -> Iterator[tuple[int, bytes]]:
    connection = _Connection(source, destination)
    at_us = 0
    first = True
    for entry in entries:
        said = _said(entry)
        if said is None:
            continue
        client, data, left_out = said
        if first:
            yield from ((entry.at_us, packet) for packet in connection.open())
        first, at_us = False, entry.at_us
        for start in range(0, len(data), SEGMENT):
            yield at_us, connection.data(client, data[start : start + SEGMENT])
        connection.skip(client, left_out)
    if not first:
        yield from ((at_us, packet) for packet in connection.close())


def _said(entry: Entry) -> tuple[bool, bytes, int] | None:
    """Whether the client said it, the bytes, and how many were left out."""
    if isinstance(entry, Captured):
        return entry.leg == "client", entry.data, 0
    if isinstance(entry, Spoken):
        return entry.stream == INPUT, entry.data, 0
    if entry.kind == "truncated":
        client = entry.facts.get("leg") == "client" or entry.facts.get("stream") == INPUT
        return client, b"", int(entry.facts.get("bytes", 0))
    return None


class _Connection:
    """The packets of one TCP connection."""

    def __init__(self, client: End, server: End) -> None:
        self._ends = (client, server)
        self._next = [_FIRST, _FIRST]  # sequence numbers, of the client and of the server

    def open(self) -> list[bytes]:
        """The handshake."""
        syn = self._packet(0, dpkt.tcp.TH_SYN, b"", acknowledge=False)
        self._next[0] += 1
        answer = self._packet(1, dpkt.tcp.TH_SYN | dpkt.tcp.TH_ACK, b"")
        self._next[1] += 1
        return [syn, answer, self._packet(0, dpkt.tcp.TH_ACK, b"")]

    def data(self, client: bool, data: bytes) -> bytes:
        """A packet with data of one side."""
        packet = self._packet(0 if client else 1, dpkt.tcp.TH_PUSH | dpkt.tcp.TH_ACK, data)
        self.skip(client, len(data))
        return packet

    def skip(self, client: bool, count: int) -> None:
        """So many bytes of that side have passed."""
        side = 0 if client else 1
        self._next[side] = (self._next[side] + count) & 0xFFFF_FFFF

    def close(self) -> list[bytes]:
        """Both sides end."""
        first = self._packet(0, dpkt.tcp.TH_FIN | dpkt.tcp.TH_ACK, b"")
        self.skip(True, 1)
        second = self._packet(1, dpkt.tcp.TH_FIN | dpkt.tcp.TH_ACK, b"")
        self.skip(False, 1)
        return [first, second, self._packet(0, dpkt.tcp.TH_ACK, b"")]

    def _packet(self, side: int, flags: int, data: bytes, acknowledge: bool = True) -> bytes:
        (source, sport), (destination, dport) = self._ends[side], self._ends[1 - side]
        acknowledged = self._next[1 - side] if acknowledge else 0
        segment = dpkt.tcp.TCP(
            sport=sport, dport=dport, seq=self._next[side], ack=acknowledged, flags=flags, win=_WINDOW, data=data
        )
        ends = {"src": ipaddress.ip_address(source).packed, "dst": ipaddress.ip_address(destination).packed}
        if len(ends["src"]) == 4:
            return bytes(dpkt.ip.IP(**ends, p=dpkt.ip.IP_PROTO_TCP, data=segment))
        return bytes(dpkt.ip6.IP6(**ends, nxt=dpkt.ip.IP_PROTO_TCP, hlim=64, plen=len(bytes(segment)), data=segment))


def _ends(header: Json) -> tuple[End, End]:
    destination = _endpoint(str(header["destination"]))
    version = ipaddress.ip_address(destination[0]).version
    source = _endpoint(str(header["source"])) if header.get("source") else _SOURCES[version]
    if ipaddress.ip_address(source[0]).version != version:
        source = _SOURCES[version]
    return source, destination


def _endpoint(text: str) -> End:
    """`10.0.0.5:5432` or `[2001:db8::5]:5432`."""
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def _forwarded(text: str, otherwise: End) -> End:
    """Where a forwarded stream goes: its port, at the flow's destination, since it may be told by a name."""
    port = text.rpartition(":")[2]
    return (otherwise[0], int(port)) if port.isdigit() and 0 < int(port) < 65536 else otherwise
