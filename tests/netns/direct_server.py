"""Answers DIRECT on TCP and UDP: argv is a port; UDP also at 443. Runs with the standard library alone."""

import selectors
import socket
import sys


def main() -> None:
    port = int(sys.argv[1])
    selector = selectors.DefaultSelector()
    for tcp in (port, 53):
        listener = socket.create_server(("::", tcp), family=socket.AF_INET6, dualstack_ipv6=True)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        selector.register(listener, selectors.EVENT_READ, "listener")
    for udp in (port, 443, 53):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", udp))
        selector.register(sock, selectors.EVENT_READ, "datagrams")
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            serve(selector, key)


def serve(selector: selectors.DefaultSelector, key: selectors.SelectorKey) -> None:
    sock = key.fileobj
    if key.data == "listener":
        connection, _ = sock.accept()
        connection.sendall(b"DIRECT\n")
        selector.register(connection, selectors.EVENT_READ, "connection")
    elif key.data == "datagrams":
        _, peer = sock.recvfrom(2048)
        sock.sendto(b"DIRECT\n", peer)
    else:
        try:
            data = sock.recv(2048)
            if data:
                sock.sendall(b"DIRECT\n")
        except OSError:
            data = b""
        if not data:
            selector.unregister(sock)
            sock.close()


main()
