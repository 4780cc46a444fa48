"""What is answered to a GSSENCRequest, and that the same connection then goes on: `negotiate.py HOST ssl|plain`."""

from __future__ import annotations

import socket
import struct
import sys

SSL_REQUEST, GSS_REQUEST, PROTOCOL = 80877103, 80877104, 0x0003_0000

with socket.create_connection((sys.argv[1], 5432), 10) as s:
    s.sendall(struct.pack("!II", 8, GSS_REQUEST))
    print("gss", s.recv(1).decode())
    if sys.argv[2] == "ssl":
        s.sendall(struct.pack("!II", 8, SSL_REQUEST))
        print("ssl", s.recv(1).decode())
    else:
        startup = b"user\0trusting\0database\0postgres\0\0"
        s.sendall(struct.pack("!II", 8 + len(startup), PROTOCOL) + startup)
        print("startup", s.recv(1).decode())
