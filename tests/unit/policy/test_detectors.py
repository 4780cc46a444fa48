"""Detectors in policy files: whose results are looked through for what, and what is refused where."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.errors import FileError
from hostagent.policy.detectors import Detectors, detectors_for
from hostagent.policy.load import load_policy
from hostagent.policy.model import Policy
from tests.unit.policy.policy_samples import policy_of

ACTORS = "actors: [{name: agents, user: agent}, {name: analysts, user: ann}]\n"
TARGETS = (
    "targets: [{name: db, protocol: postgres, match: {addresses: 10.0.0.5}},"
    " {name: other, protocol: postgres, match: {addresses: 10.0.0.6}}]\n"
)


def detectors(*entries: str) -> Policy:
    lines = "".join(f"  - {{{entry}}}\n" for entry in entries)
    return policy_of(f"{ACTORS}{TARGETS}detectors:\n{lines}")


def found(policy: Policy, actors: str = "", target: str = "db") -> Detectors:
    return detectors_for(policy.detectors, frozenset(actors.split()), target)


def test_what_is_done() -> None:
    policy = detectors(
        "name: d, targets: db, detect: [us_ssn, card]", "name: o, targets: db, detect: jwt, then: observe"
    )
    assert found(policy) == Detectors(("card", "us_ssn"), ("jwt",))
    assert found(policy)
    assert found(policy, target="other") == Detectors()
    assert not found(policy, target="other")
    assert Policy.from_json(policy.to_json()).detectors == policy.detectors


def test_redact_wins() -> None:
    policy = detectors(
        "name: o, targets: '*', detect: [card, jwt], then: observe", "name: r, targets: db, detect: card, then: redact"
    )
    assert found(policy) == Detectors(("card",), ("jwt",))
    assert found(policy, target="other") == Detectors((), ("card", "jwt"))


def test_whose_results() -> None:
    policy = detectors(
        "name: a, targets: '*', actors: agents, detect: card",
        "name: n, targets: db, except_actors: analysts, detect: jwt",
    )
    assert found(policy) == Detectors(("jwt",))
    assert found(policy, "agents") == Detectors(("card", "jwt"))
    assert found(policy, "analysts") == Detectors()
    assert found(policy, "agents analysts") == Detectors(("card",)), "an exception wins"


HEAD = "version: 1\ntargets:\n  - name: db\n    protocol: postgres\n    match: {addresses: 10.0.0.5}\ndetectors:\n"
ENTRY = "  - name: d\n    targets: db\n    detect: [card]\n"


def test_the_entry_that_the_refused_ones_are_made_of(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(HEAD + ENTRY)
    assert found(load_policy(file)) == Detectors(("card",))


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (ENTRY.replace("card", "cards"), "p.yaml:9:14", "unknown detector `cards`"),
        (ENTRY.replace("card", "cards"), "p.yaml:9:14", 'did you mean "card"?'),
        (ENTRY.replace("card", "zzz"), "p.yaml:9:14", "known: card, iban"),
        (ENTRY.replace("[card]", "[]"), "p.yaml:9:13", "must not be empty"),
        (ENTRY.replace("[card]", "[7]"), "p.yaml:9:14", "a text is needed"),
        (ENTRY.replace("    detect: [card]\n", ""), "p.yaml:7:5", "`detect` is missing"),
        (ENTRY + "    then: deny\n", "p.yaml:10:11", "unknown word `deny`"),
        (ENTRY + "    shown: 4\n", "p.yaml:10:5", "unknown key `shown`"),
        (ENTRY + "    actors: nobody\n", "p.yaml:10:13", "unknown class of actors `nobody`"),
        (ENTRY + "    except_actors: '*'\n", "p.yaml:7:5", "a detector for nobody"),
        (ENTRY.replace("targets: db", "targets: dbx"), "p.yaml:8:14", "unknown target `dbx`"),
        (ENTRY + ENTRY, "p.yaml:10:11", "`d` is taken"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, text: str, where: str, what: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(HEAD + text)
    with pytest.raises(FileError) as error:
        load_policy(file)
    assert f"{where}:" in str(error.value)
    assert what in str(error.value)


def test_detectors_of_several_files_hold_together(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text(HEAD + ENTRY)
    (tmp_path / "2.yaml").write_text(
        "version: 1\ndetectors:\n" + ENTRY.replace(": d\n", ": e\n").replace("card", "jwt")
    )
    assert found(load_policy(tmp_path)) == Detectors(("card", "jwt"))


def test_a_detector_is_part_of_the_version_of_a_policy() -> None:
    one = detectors("name: d, targets: db, detect: card")
    assert one.version != detectors("name: d, targets: db, detect: jwt").version
