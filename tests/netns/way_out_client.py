"""One attempt of a process to reach a server, in a given form. Prints one line: what it read, or why it could not.

    way_out_client.py FORM ADDRESS PORT      forms: the functions below whose names begin with `form_`

It waits for a line on stdin where a form says so (`wait`): the test does something to it meanwhile.
Runs with the standard library alone.
"""

import array
import ctypes
import errno
import mmap
import socket
import struct
import sys
from pathlib import Path

SECONDS = 1.0
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    form, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        said = globals()[f"form_{form}"](family, address, port)
    except TimeoutError:
        said = "nothing"
    except OSError as error:
        said = f"refused {errno.errorcode.get(error.errno, error.errno)}"
    print(said, flush=True)


def tcp(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(SECONDS)
    return sock


def read(sock: socket.socket) -> str:
    return sock.recv(256).decode().partition("\n")[0] or "refused EOF"


def wait() -> None:
    print("waiting", flush=True)
    sys.stdin.readline()


def form_connect(family, address, port):
    sock = tcp(family)
    sock.connect((address, port))
    return read(sock)


def form_prepared_socket(family, address, port):
    """Socket made before; the process is moved, or governing begins, in between."""
    sock = tcp(family)
    wait()
    sock.connect((address, port))
    return read(sock)


def form_moved_then_connect(family, address, port):
    """Nothing is made before the test did what it does to us."""
    wait()
    return form_connect(family, address, port)


def form_passed_socket(family, address, port):
    """A socket that another process made and hands over by SCM_RIGHTS at the unix socket that is our stdin's line."""
    sock = given_socket()
    sock.settimeout(SECONDS)
    sock.connect((address, port))
    return read(sock)


def given_socket():
    print("waiting", flush=True)
    channel = socket.socket(socket.AF_UNIX)
    channel.connect(sys.stdin.readline().strip())
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
    return socket.socket(fileno=array.array("i", ancillary[0][2])[0])


def form_held(family, address, port):
    """A connection that is open already; what it reads later counts."""
    sock = tcp(family)
    sock.connect((address, port))
    read(sock)
    wait()
    sock.sendall(b"more")
    return read(sock)


def form_mapped(family, address, port):
    sock = tcp(socket.AF_INET6)
    sock.connect((f"::ffff:{address}", port))
    return read(sock)


def form_fastopen_sendto(family, address, port):
    sock = tcp(family)
    sock.setblocking(True)  # else it returns EINPROGRESS
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("=qq", int(SECONDS), 0))
    sock.sendto(b"early", 0x20000000, (address, port))  # MSG_FASTOPEN
    sock.settimeout(SECONDS)
    return read(sock)


def form_fastopen_connect(family, address, port):
    sock = tcp(family)
    sock.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
    sock.connect((address, port))
    sock.sendall(b"early")
    return read(sock)


def form_bound(family, address, port):
    sock = tcp(family)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    sock.connect((address, port))
    return read(sock)


def form_patient(family, address, port):
    """From a known port, and long enough for the second SYN."""
    sock = from_known_port(family)
    sock.connect((address, port))
    return read(sock)


def form_unheard(family, address, port):
    """From a known port; the test sees to it that nobody hears of the end."""
    sock = from_known_port(family)
    sock.connect((address, port))
    said = read(sock)
    wait()
    return said


def from_known_port(family):
    """It is left with a reset, so that the port is free at once."""
    sock = tcp(family)
    sock.settimeout(4 * SECONDS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 41000))
    return sock


def form_extended(family, address, port):
    """Something before the TCP header: a padding option (IPv4), a destination options header (IPv6)."""
    sock = tcp(family)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, 59, b"\0\0\1\4\0\0\0\0")  # IPV6_DSTOPTS, one PadN
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\1\1\1\1")  # four NOP
    sock.connect((address, port))
    return read(sock)


def form_mptcp(family, address, port):
    sock = socket.socket(family, socket.SOCK_STREAM, 262)  # IPPROTO_MPTCP
    sock.settimeout(SECONDS)
    sock.connect((address, port))
    return read(sock)


def form_udp(family, address, port):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.sendto(b"hello", (address, port))
    return read(sock)


def form_udp_connected(family, address, port):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.connect((address, port))
    sock.send(b"hello")
    return read(sock)


def form_udp_prepared(family, address, port):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.connect((address, port))
    wait()
    sock.send(b"hello")
    return read(sock)


def form_udp_mapped(family, address, port):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.sendto(b"hello", (f"::ffff:{address}", port))
    return read(sock)


def form_quic(family, address, port):
    """A QUIC long header to 443, RFC 9000 section 17.2."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.sendto(b"\xc0\x00\x00\x00\x01\x08" + bytes(8) + b"\x00\x00" + bytes(1180), (address, 443))
    return read(sock)


def form_raw(family, address, port):
    """A UDP packet by a raw socket; the answer arrives at an ordinary one that is only bound."""
    listening = bound_datagrams(family)
    return send_raw(socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP), listening, address, port)


def bound_datagrams(family):
    listening = socket.socket(family, socket.SOCK_DGRAM)
    listening.settimeout(SECONDS)
    listening.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    return listening


def send_raw(raw, listening, address, port):
    packet = struct.pack(">HHHH", listening.getsockname()[1], port, 13, 0) + b"hello"
    if raw.family == socket.AF_INET6:
        raw.setsockopt(socket.IPPROTO_IPV6, 7, 6)  # IPV6_CHECKSUM: the kernel fills it in
    raw.sendto(packet, (address, 0))
    return read(listening)


def form_raw_prepared(family, address, port):
    """A raw socket from before; governing begins in between."""
    raw, listening = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP), bound_datagrams(family)
    wait()
    return send_raw(raw, listening, address, port)


def form_raw_passed(family, address, port):
    """A raw socket that another process made and hands over."""
    return send_raw(given_socket(), bound_datagrams(family), address, port)


def form_raw_tcp_passed(family, address, port):
    """The same with the protocol TCP: we make a SYN of our own, what counts is whether it is answered."""
    raw = given_socket()
    raw.settimeout(SECONDS)
    source = address[:-1] + "1"  # the neighbour of the server in these networks
    syn = struct.pack(">HHIIBBHHH", 41001, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, address)
    raw.sendto(syn[:16] + checksum(ends + struct.pack(">II", len(syn), 6) + syn) + syn[18:], (address, 0))
    while True:
        packet = raw.recv(2048)
        tcp_header = packet[20:] if family == socket.AF_INET else packet
        if struct.unpack(">HH", tcp_header[:4]) == (port, 41001) and tcp_header[13] & 0x12 == 0x12:
            return "DIRECT"


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF)


def form_mark_before(family, address, port):
    sock = tcp(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x73)
    sock.connect((address, port))
    return read(sock)


def form_mark_before_tolerant(family, address, port):
    sock = tcp(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x1)
    except PermissionError:
        pass
    sock.connect((address, port))
    return read(sock)


def form_mark_after(family, address, port):
    """Connect without waiting, then take the mark off again: the second SYN and all that follows would go direct."""
    sock = tcp(family)
    sock.setblocking(False)
    sock.connect_ex((address, port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0)
    sock.settimeout(SECONDS)
    return read(sock)


def form_device(family, address, port):
    sock = tcp(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"db0")
    sock.connect((address, port))
    return read(sock)


def form_again(family, address, port):
    """connect, disconnect by AF_UNSPEC, connect again on the same socket."""
    sock = tcp(family)
    sock.connect((address, port))
    read(sock)
    LIBC.connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16)
    sock.connect((address, port))
    return read(sock)


def form_io_uring(family, address, port):
    """IORING_OP_CONNECT by the bare system calls, linux/io_uring.h."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    parameters = ctypes.create_string_buffer(120)
    ring = LIBC.syscall(425, 4, parameters)
    if ring < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")
    sq_tail, sq_array = struct.unpack_from("=I", parameters, 44)[0], struct.unpack_from("=I", parameters, 64)[0]
    cq_cqes = struct.unpack_from("=I", parameters, 100)[0]
    submissions = mmap.mmap(ring, 4096, offset=0)
    completions = mmap.mmap(ring, 4096, offset=0x8000000)
    entries = mmap.mmap(ring, 4096, offset=0x10000000)
    name = sockaddr(family, address, port)
    entries[:64] = struct.pack("=BBHiQQII", 16, 0, 0, sock.fileno(), len(name), ctypes.addressof(name), 0, 0).ljust(
        64, b"\0"
    )
    struct.pack_into("=I", submissions, sq_array, 0)
    struct.pack_into("=I", submissions, sq_tail, 1)
    if LIBC.syscall(426, ring, 1, 1, 1, None, 0) < 0:
        raise OSError(ctypes.get_errno(), "io_uring_enter")
    result = struct.unpack_from("=Qi", completions, cq_cqes)[1]
    if result < 0:
        raise OSError(-result, "connect")
    sock.settimeout(SECONDS)
    return read(sock)


def sockaddr(family, address, port):
    packed = socket.inet_pton(family, address)
    if family == socket.AF_INET:
        return ctypes.create_string_buffer(struct.pack("=H", family) + struct.pack(">H", port) + packed + bytes(8), 16)
    start = struct.pack("=H", family) + struct.pack(">HI", port, 0)
    return ctypes.create_string_buffer(start + packed + bytes(4), 28)


def form_child_cgroup(family, address, port):
    """Move to a cgroup below our own first; its path comes on stdin."""
    print("waiting", flush=True)
    Path(sys.stdin.readline().strip(), "cgroup.procs").write_text("0")
    return form_connect(family, address, port)


main()
