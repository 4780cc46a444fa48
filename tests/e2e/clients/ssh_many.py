"""`ssh_many.py COUNT COMMAND…`: runs it so often at once, and ends none before each has given back its line."""

from __future__ import annotations

import subprocess
import sys


def main() -> None:
    """Prints how many ran at once, and how many ended with status 0."""
    count, command = int(sys.argv[1]), sys.argv[2:]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(count)]
    at_once = 0
    for number, process in enumerate(running):
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
    for number, process in enumerate(running):
        at_once += process.stdout.readline() == f"{number}\n" and process.poll() is None
    for process in running:
        process.stdin.close()
    print(f"{at_once} at once, {sum(process.wait() == 0 for process in running)} ended well")


if __name__ == "__main__":
    main()
