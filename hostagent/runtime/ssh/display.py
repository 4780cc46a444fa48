"""X11 forwarding: a display of the client's that programs on the server may draw on.

The client's words go to the server as they are: OpenSSH invents the cookie, and puts the display's own in its place
when an X client comes. So no secret of the display is seen here, and the server gets none.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Display:
    """What an x11-req asks for. `single`: one connection only; `cookie` in hexadecimal digits."""

    single: bool
    protocol: bytes
    cookie: bytes
    screen: int

    @property
    def is_whole(self) -> bool:
        """Whether the cookie is one."""
        try:
            return bool(self.secret)
        except binascii.Error:
            return False

    @property
    def secret(self) -> bytes:
        """The cookie itself. Raises binascii.Error."""
        return binascii.a2b_hex(self.cookie)
