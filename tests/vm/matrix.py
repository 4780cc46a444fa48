"""Runs the tests of this directory on every combination of kernel and cgroup hierarchy, one after another.

    python -m tests.vm.matrix [KERNEL/HIERARCHY…] [-- pytest's own arguments]

Writes what came of each test to build/vm/matrix.txt, and the table between the marks of docs/vm-matrix.md. What
was not asked for keeps what an earlier run found. Exit 1 where something failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.vm import lab
from tests.vm.image import BUILD

COMBINATIONS = ("6.1/unified", "6.1/hybrid", "6.12/unified", "6.12/hybrid")
KEPT = BUILD / "matrix.json"
TABLE = BUILD / "matrix.txt"
DOCUMENT = lab.ROOT / "docs" / "vm-matrix.md"
BEGIN, END = "<!-- written by tests/vm/matrix.py -->", "<!-- end -->"
Results = dict[str, dict[str, str]]  # combination → test → passed, FAILED


def run(combination: str, arguments: list[str]) -> dict[str, str]:
    """What came of each test on that combination."""
    kernel, hierarchy = combination.split("/")
    report = BUILD / f"report-{kernel}-{hierarchy}.xml"
    report.unlink(missing_ok=True)
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", "tests/vm", *arguments],
        cwd=lab.ROOT, env={**os.environ, "VM_KERNEL": kernel, "VM_HIERARCHY": hierarchy}, stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip
    minutes = f"{(time.monotonic() - began) / 60:.0f} min"
    cases = ElementTree.parse(report).iter("testcase") if report.exists() else []
    found = {_name(case): _outcome(case) for case in cases}
    return found | {"whole run": minutes if found else "did not run"}


def table(results: Results) -> str:
    """Tests down, combinations across."""
    tests = list(dict.fromkeys(test for found in results.values() for test in found))
    lines = ["| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for test in tests:
        lines.append(f"| {test} | " + " | ".join(found.get(test, "not run") for found in results.values()) + " |")
    return "\n".join(lines)


def main(words: list[str]) -> int:
    """Run what is asked for, all by default."""
    asked, _, arguments = " ".join(words).partition("--")
    results: Results = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for combination in asked.split() or COMBINATIONS:
        results[combination] = run(combination, arguments.split())
        ordered = {each: results[each] for each in COMBINATIONS if each in results}
        KEPT.write_text(json.dumps(ordered))
        written = f"package {lab.package().name}\n\n{table(ordered)}\n"
        TABLE.write_text(written)
        _put_into(DOCUMENT, written)
    print(TABLE.read_text())
    return int(any(outcome == "FAILED" for found in results.values() for outcome in found.values()))


def _name(case: ElementTree.Element) -> str:
    module = case.get("classname", "").rpartition(".")[2].removeprefix("test_")
    return f"{module}: {case.get('name', '').removeprefix('test_').replace('_', ' ')}"


def _outcome(case: ElementTree.Element) -> str:
    return "passed" if case.find("failure") is None and case.find("error") is None else "FAILED"


def _put_into(document: Path, text: str) -> None:
    before, _, rest = document.read_text().partition(BEGIN)
    document.write_text(f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
