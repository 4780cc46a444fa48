"""bpf/hostagent.h and hostagent.kernel.layout say the same, field by field."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from hostagent.kernel import layout, marks

HEADER = Path(__file__).parents[3] / "bpf" / "hostagent.h"
STRUCTS = {
    "process_record": layout.ProcessRecordC,
    "flow_key": layout.FlowKeyC,
    "flow_record": layout.FlowRecordC,
    "bystander": layout.BystanderC,
    "socket_state": layout.SocketStateC,
    "pattern": layout.PatternC,
    "settings": layout.SettingsC,
    "refusal": layout.RefusalC,
}
CONSTANTS: dict[str, int] = {
    "REASONS": len(layout.Reason),
    "MAX_PARENTS": layout.MAX_PARENTS,
    "MAX_PATTERNS": layout.MAX_PATTERNS,
    "NAME_BYTES": layout.NAME_BYTES,
    "EXECUTABLE_BYTES": layout.EXECUTABLE_BYTES,
    "CGROUP_BYTES": layout.CGROUP_BYTES,
    "ARGUMENT_BYTES": layout.ARGUMENT_BYTES,
    "PATTERN_BYTES": layout.PATTERN_BYTES,
    "MARK_MASK": marks.MASK,
    "MARK_GOVERNED": marks.GOVERNED,
    "MARK_REDIRECT": marks.REDIRECT,
    **{reason.name: reason.value for reason in layout.Reason},
    **{f"VERDICT_{verdict.name}": verdict.value for verdict in layout.Verdict},
    **{f"GOVERNED_BY_{by.name}": by.value for by in layout.GovernedByCode},
    **{f"RECORD_{flag.name}": flag.value for flag in layout.RecordFlag},
}


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the C compiler makes of the header: constants, struct sizes, field offsets."""
    wanted = [*CONSTANTS]
    for name, mirror in STRUCTS.items():
        wanted.append(f"sizeof(struct {name})")
        wanted += [f"offsetof(struct {name}, {field[0]})" for field in mirror._fields_]
    prints = "\n".join(f'printf("%ld\\n", (long)({expression}));' for expression in wanted)
    directory = tmp_path_factory.mktemp("layout")
    source = directory / "layout.c"
    source.write_text(
        f'#include <stddef.h>\n#include <stdio.h>\n#include "{HEADER}"\nint main(void) {{\n{prints}\nreturn 0; }}\n'
    )
    subprocess.run(["clang", "-o", directory / "layout", source], check=True)
    output = subprocess.run([directory / "layout"], check=True, capture_output=True, text=True).stdout
    return dict(zip(wanted, map(int, output.split()), strict=True))


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_those_of_the_header(in_c: dict[str, int], name: str) -> None:
    assert in_c[name] == CONSTANTS[name]


@pytest.mark.parametrize("name", STRUCTS)
def test_structs_are_those_of_the_header(in_c: dict[str, int], name: str) -> None:
    mirror = STRUCTS[name]
    assert in_c[f"sizeof(struct {name})"] == ctypes.sizeof(mirror)
    for field in mirror._fields_:
        assert in_c[f"offsetof(struct {name}, {field[0]})"] == getattr(mirror, field[0]).offset


def test_every_reason_of_the_header_has_a_name() -> None:
    body = HEADER.read_text().partition("enum reason {")[2].partition("};")[0]
    names = [word for line in body.splitlines() if (word := line.strip().split(",")[0].split(" ")[0]).isupper()]
    assert names == [*layout.Reason.__members__, "REASONS"]
