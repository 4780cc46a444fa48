"""Names of users and groups, as the host's name service gives them."""

from __future__ import annotations

import grp
import pwd
import time
from collections.abc import Callable

KEPT_SECONDS = 60.0  # a renamed user shows within a minute; /etc/passwd is not read for each flow
MAX_KEPT = 4096  # user namespaces can use any number of ids: forget all and begin again


class Users:
    """uid and gid → name. An id without a name is given as its number.

    A name made of digits only is not used: it could be taken for another user's number.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, int], tuple[str, float]] = {}

    def user(self, uid: int) -> str:
        """The name of the user with that id in the host's own user namespace."""
        return self._name("user", uid, lambda: pwd.getpwuid(uid).pw_name)

    def group(self, gid: int) -> str:
        """The name of the group with that id in the host's own user namespace."""
        return self._name("group", gid, lambda: grp.getgrgid(gid).gr_name)

    def _name(self, kind: str, number: int, look_up: Callable[[], str]) -> str:
        now = self._clock()
        kept = self._kept.get((kind, number))
        if kept is not None and kept[1] > now:
            return kept[0]
        try:
            name = look_up()
        except KeyError:
            name = ""
        if not name or name.isdigit():
            name = str(number)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[kind, number] = (name, now + KEPT_SECONDS)
        return name
