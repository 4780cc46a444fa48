"""The packet marks. All of them live in the lowest byte of the mark; the other bits belong to the host.

The hooks put GOVERNED on a governed socket, the output chain turns it into REDIRECT and policy routing sends what
carries REDIRECT to `lo`, where TPROXY hands it to a worker. A mark proves nothing about who set it: what leaves is
decided by cgroup in the hooks, marks only carry that decision to nftables.
"""

from __future__ import annotations

MASK = 0xFF
GOVERNED = 0x75  # set by connect4/connect6 on a governed socket
REDIRECT = 0x77  # set in output and divert; routed to lo
BYSTANDER = 0x73  # set on the first packet of an ungoverned flow forwarded from a container interface
