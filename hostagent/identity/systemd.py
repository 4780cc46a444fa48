"""systemd: units, slices, login sessions, user managers and machines, by the names of their cgroups.

Source: systemd's CGROUP_DELEGATION.md and src/basic/cgroup-util.c. The kernel attests the path; that a segment is
the name of a unit is systemd's word, hence *runtime-attested*. Below `user@UID.service` the user writes the names.
"""

from __future__ import annotations

import re

from hostagent.identity.form import UNIT_CHARACTERS, Place, form

_ROOT = (Place.ROOT,)
_SLICE = (Place.SLICE,)
_LOGIN = (Place.LOGIN,)
_MACHINE = (Place.MACHINE,)
_USER = (Place.USER_MANAGER,)
_ANYWHERE = (Place.ROOT, Place.SLICE, Place.LOGIN, Place.MACHINE, Place.POD_SLICE)
_NAME = rf"{UNIT_CHARACTERS}+"
_SUFFIX = r"\.(?:service|scope|socket|mount|swap)"
_TEMPLATE = rf"[A-Za-z0-9:_.\\-]+@(?P<unit_instance>{_NAME})"

FORMS = (
    # logind: user-UID.slice holds session-N.scope and the user's own manager, which owns what is below it
    form(_SLICE, r"(?P<slice>user-(?P<owner_uid>\d{1,10})\.slice)", Place.LOGIN),
    form(_LOGIN, r"(?P<unit>session-(?P<login_session>c?\d{1,10})\.scope)", Place.NOTHING),
    form(_LOGIN, r"(?P<unit>user@(?P<owner_uid>\d{1,10})\.service)", Place.USER_MANAGER),
    form(_USER, rf"(?P<user_slice>{_NAME}\.slice)", Place.USER_MANAGER),
    form(_USER, rf"(?P<user_unit>{_NAME}{_SUFFIX})", Place.NOTHING),
    # machined: nspawn containers and libvirt guests
    form(_ROOT, r"(?P<slice>machine\.slice)", Place.MACHINE),
    form(_MACHINE, rf"(?P<unit>machine-(?P<machine>{_NAME})\.scope)", Place.NOTHING),
    form(_MACHINE, rf"(?P<unit>systemd-nspawn@(?P<machine>{_NAME})\.service)", Place.NOTHING),
    # any other unit of the system manager
    form((*_ROOT, *_SLICE, *_MACHINE), rf"(?P<slice>{_NAME}\.slice)", Place.SLICE),
    form(_ANYWHERE, rf"(?P<unit>{_TEMPLATE}{_SUFFIX})", Place.NOTHING),
    form(_ANYWHERE, rf"(?P<unit>{_NAME}{_SUFFIX})", Place.NOTHING),
)


def parent_slice(name: str) -> str | None:
    """The slice in which systemd puts the slice `name`: `a-b.slice` lies in `a.slice`; None: in the root."""
    parent, dash, _ = name.removesuffix(".slice").rpartition("-")
    return f"{parent}.slice" if dash else None


def unescaped(text: str) -> str:
    r"""`text` with systemd's `\x2d` escapes undone; as it is where that gives no printable text.

    A dash stays a dash: whether it once was a slash, the name does not tell.
    """
    raw = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text)
    try:
        plain = raw.encode("latin-1").decode()
    except UnicodeError:
        return text
    return plain if plain.isprintable() else text
