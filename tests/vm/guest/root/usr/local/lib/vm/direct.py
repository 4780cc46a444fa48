"""One connection to ADDRESS PORT: prints what was read (`DIRECT`), or the name of the errno."""

from __future__ import annotations

import sys

sys.path.insert(0, "/usr/local/lib/vm")

from loop_connect import attempt

print(attempt(sys.argv[1], int(sys.argv[2])))
