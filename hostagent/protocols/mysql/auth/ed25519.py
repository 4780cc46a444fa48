"""client_ed25519 of MariaDB: the password signs the scramble.

It is Ed25519 (RFC 8032 section 5.1) but for its secret key, which is the password of any length in the place of 32
bytes; so the signature is made here, as the library takes 32 bytes alone. Source: MariaDB "Authentication Plugin -
ed25519", plugin/auth_ed25519/ref10/sign.c. Not constant-time: it runs once a login, on a host that holds the password.
"""

from __future__ import annotations

import hashlib

NAME = "client_ed25519"
SCRAMBLE_SIZE = 32

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_BASE_Y = 4 * pow(5, -1, _P) % _P
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202

_Point = tuple[int, int, int, int]  # extended homogeneous coordinates (RFC 8032 section 5.1.4)
_BASE: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def proof(password: bytes, scramble: bytes) -> bytes:
    """The 64 bytes of the signature; empty for no password."""
    if not password:
        return b""
    secret = hashlib.sha512(password).digest()
    scalar = int.from_bytes(secret[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    public = _encoded(_times(scalar, _BASE))
    nonce = _number(secret[32:] + scramble) % _ORDER
    commitment = _encoded(_times(nonce, _BASE))
    challenge = _number(commitment + public + scramble) % _ORDER
    return commitment + ((nonce + challenge * scalar) % _ORDER).to_bytes(32, "little")


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little")


def _plus(p: _Point, q: _Point) -> _Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _plus(result, point)
        point = _plus(point, point)
        scalar >>= 1
    return result


def _encoded(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")
