"""A second group on a unix socket: connecting needs write permission on its file, which has one group of its own.

A POSIX ACL (acl(5)) of owner rw, owning group rw, one more group rw, and nobody else; in the kernel's own form
(include/uapi/linux/posix_acl_xattr.h): a version, then tag, permissions and id of each entry, in this order.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

_ACCESS = "system.posix_acl_access"
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_USER_OBJ, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x04, 0x08, 0x10, 0x20
_READ_WRITE, _NONE = 6, 0
_NO_ID = 0xFFFF_FFFF


def admit_group(path: Path, gid: int) -> None:
    """Let the members of a group connect too. Raises OSError, also where the file system knows no ACLs."""
    entries = (
        (_USER_OBJ, _READ_WRITE, _NO_ID),
        (_GROUP_OBJ, _READ_WRITE, _NO_ID),
        (_GROUP, _READ_WRITE, gid),
        (_MASK, _READ_WRITE, _NO_ID),
        (_OTHER, _NONE, _NO_ID),
    )
    os.setxattr(path, _ACCESS, _VERSION + b"".join(_ENTRY.pack(*entry) for entry in entries))
