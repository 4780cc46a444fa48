"""Masks in policy files: who has which, and what is refused where."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.errors import FileError
from hostagent.policy.load import load_policy
from hostagent.policy.masks import masks_for
from hostagent.policy.model import Policy
from hostagent.sql.masking.values import Mask, MaskKind, Masks
from tests.unit.policy.policy_samples import policy_of

ACTORS = "actors: [{name: agents, user: agent}, {name: analysts, user: ann}]\n"
TARGETS = (
    "targets: [{name: db, protocol: postgres, match: {addresses: 10.0.0.5}},"
    " {name: other, protocol: postgres, match: {addresses: 10.0.0.6}}]\n"
)


def masks(*entries: str) -> Policy:
    lines = "".join(f"  - {{{entry}}}\n" for entry in entries)
    return policy_of(f"{ACTORS}{TARGETS}masks:\n{lines}")


def names(policy: Policy, actors: str, target: str) -> list[str]:
    return [mask.name for mask in masks_for(policy.masks, frozenset(actors.split()), target)]


def test_every_kind() -> None:
    policy = masks(
        "name: r, targets: db, columns: app.users.ssn, mask: redact",
        "name: n, targets: db, columns: app.users.ssn, mask: 'null'",
        "name: h, targets: db, columns: app.users.ssn, mask: hash, functions: app.total",
        "name: f, targets: db, columns: app.users.ssn, mask: format",
        "name: p, targets: db, columns: ['*.*.card', app.u?.x], partial: {last: 4}",
    )
    found = masks_for(policy.masks, frozenset(), "db")
    assert [mask.kind for mask in found] == [
        MaskKind.REDACT,
        MaskKind.NULL,
        MaskKind.HASH,
        MaskKind.FORMAT,
        MaskKind.PARTIAL,
    ]
    assert found[2].functions == ("app.total",)
    assert found[4] == Mask("p", MaskKind.PARTIAL, ("*.*.card", "app.u?.x"), last=4)
    assert Masks.from_json(Masks(found).to_json()) == Masks(found)
    assert Policy.from_json(policy.to_json()).masks == policy.masks


def test_who_has_which() -> None:
    policy = masks(
        "name: all, targets: '*', columns: a.b.c, mask: redact",
        "name: here, targets: db, columns: a.b.c, mask: redact",
        "name: agents, targets: db, actors: agents, columns: a.b.c, mask: redact",
        "name: not-analysts, targets: db, except_actors: analysts, columns: a.b.c, mask: redact",
    )
    assert names(policy, "", "db") == ["all", "here", "not-analysts"]
    assert names(policy, "", "other") == ["all"]
    assert names(policy, "agents", "db") == ["all", "here", "agents", "not-analysts"]
    assert names(policy, "analysts", "db") == ["all", "here"]
    assert names(policy, "agents analysts", "db") == ["all", "here", "agents"], "an exception wins"


MASK = "  - name: m\n    targets: db\n    columns: app.users.ssn\n"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (MASK, "p.yaml:9:5", "exactly one of `mask` and `partial` is needed"),
        (MASK + "    mask: redact\n    partial: {last: 4}\n", "p.yaml:9:5", "exactly one of `mask` and `partial`"),
        (MASK + "    partial: {}\n", "p.yaml:12:14", "`partial` shows nothing"),
        (MASK + "    partial: {last: 99}\n", "p.yaml:12:21", "less than or equal to 32"),
        (MASK + "    mask: hide\n", "p.yaml:12:11", "unknown word `hide`"),
        (MASK + "    mask: hash\n    key: abc\n", "p.yaml:13:5", "a key never stands in a policy file"),
        (MASK + "    mask: redact\n    actors: nobody\n", "p.yaml:13:13", "unknown class of actors `nobody`"),
        (MASK + "    mask: redact\n    except_actors: agentz\n", "p.yaml:13:20", "unknown class of actors `agentz`"),
        (MASK + "    mask: redact\n    except_actors: '*'\n", "p.yaml:9:5", "a mask for nobody"),
        (
            MASK.replace("app.users.ssn", "users.ssn") + "    mask: redact\n",
            "p.yaml:11:14",
            "is not schema.table.column",
        ),
        (MASK.replace("app.users.ssn", "a..b") + "    mask: redact\n", "p.yaml:11:14", "is not schema.table.column"),
        (MASK.replace("app.users.ssn", "'a.b.[c]'") + "    mask: redact\n", "p.yaml:11:14", "not special in a pattern"),
        (MASK.replace("app.users.ssn", "[]") + "    mask: redact\n", "p.yaml:11:14", "must not be empty"),
        (MASK.replace("targets: db", "targets: dbx") + "    mask: redact\n", "p.yaml:10:14", "unknown target `dbx`"),
        (MASK + "    mask: redact\n    functions: total\n", "p.yaml:13:16", "is not schema.function"),
        (MASK + "    mask: redact\n" + MASK + "    mask: redact\n", "p.yaml:13:11", "`m` is taken"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, text: str, where: str, what: str) -> None:
    file = tmp_path / "p.yaml"
    head = "version: 1\nactors:\n  - {name: agents, user: agent}\ntargets:\n  - name: db\n    protocol: postgres\n"
    file.write_text(f"{head}    match: {{addresses: 10.0.0.5}}\nmasks:\n{text}")
    with pytest.raises(FileError) as error:
        load_policy(file)
    assert f"{where}:" in str(error.value)
    assert what in str(error.value)


def test_masks_of_several_files_are_in_the_order_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text("version: 1\n" + TARGETS + "masks:\n" + MASK + "    mask: hash\n")
    (tmp_path / "2.yaml").write_text("version: 1\nmasks:\n" + MASK.replace("name: m", "name: n") + "    mask: redact\n")
    assert [mask.name for mask in load_policy(tmp_path).masks] == ["m", "n"]


def test_a_mask_is_part_of_the_version_of_a_policy() -> None:
    one = masks("name: m, targets: db, columns: a.b.c, mask: redact")
    other = masks("name: m, targets: db, columns: a.b.c, mask: hash")
    assert one.version != other.version
