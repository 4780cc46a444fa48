"""Accepts on inherited transparent listeners and says what it sees. Runs with the standard library alone."""

import selectors
import socket
import sys


def main() -> None:
    selector = selectors.DefaultSelector()
    for fd in map(int, sys.argv[1:]):
        selector.register(socket.socket(fileno=fd), selectors.EVENT_READ)
    held = []
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            connection, source = key.fileobj.accept()
            destination = connection.getsockname()
            connection.sendall(f"INTERCEPTED {source[0]} {source[1]} {destination[0]} {destination[1]}\n".encode())
            held.append(connection)


main()
