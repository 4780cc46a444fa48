"""A secret as its source gave it, and the error of a source that gave none."""

from __future__ import annotations

from dataclasses import dataclass, field

from hostagent.errors import HostError


class Unavailable(HostError):
    """A source gave no secret: what failed and why, and in `hint` how to mend it. Holds no secret itself."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease of Vault's. `token` is the one it hangs on, where that was made for it: it ends with its token."""

    id: str
    renewable: bool
    seconds: float
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """What to log in with. `lifetime`: seconds from the moment it was asked for; None where it has no end."""

    user: str
    secret: str = field(repr=False)
    lifetime: float | None = None
    lease: Lease | None = None
