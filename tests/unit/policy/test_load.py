from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.errors import FileError
from hostagent.policy.fields import Mode
from hostagent.policy.load import PolicyErrors, load_policy
from hostagent.policy.model import Policy

HEAD = """\
version: 1
actors:
  - {name: ci, unit: ci.service}
targets:
  - name: db
    protocol: postgres
    match: {addresses: 10.0.0.5/32}
"""
WHOLE = HEAD + "rules:\n  - {name: r, actors: ci, targets: db, allow: {kinds: read}}\n"


def write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)
    return directory


def errors(directory: Path, **files: str) -> list[str]:
    with pytest.raises(PolicyErrors) as caught:
        load_policy(write(directory, **files))
    prefix = str(directory) + "/"
    assert str(caught.value) == "\n".join(map(str, caught.value.errors))
    return [str(error).replace(prefix, "") for error in caught.value.errors]


def test_files_are_merged_in_lexical_order(tmp_path: Path) -> None:
    second = "version: 1\nrules:\n  - {name: s, actors: '*', targets: db, deny: {kinds: drop}}\n"
    policy = load_policy(write(tmp_path, b=second, a=WHOLE))
    assert [rule.name for rule in policy.rules] == ["r", "s"]
    assert policy.mode is Mode.ENFORCE
    assert len(policy.version) == 12
    assert Policy.from_json(policy.to_json()) == policy
    assert Policy.from_json(policy.to_json()).version == policy.version


def test_the_version_follows_the_content_only(tmp_path: Path) -> None:
    first = load_policy(write(tmp_path, a=WHOLE)).version
    assert load_policy(write(tmp_path, a="# a comment\n" + WHOLE)).version == first
    assert load_policy(write(tmp_path, a=WHOLE.replace("read", "write"))).version != first


def test_one_file_is_a_policy_too_and_case_files_are_none(tmp_path: Path) -> None:
    write(tmp_path, a=WHOLE)
    (tmp_path / "a.cases.yaml").write_text("not: a policy")
    assert load_policy(tmp_path / "a.yaml") == load_policy(tmp_path)


def test_an_error_is_a_file_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        load_policy(write(tmp_path, a=HEAD + "rule: []\n"))
    assert (caught.value.where.line, caught.value.where.column) == (8, 1)


def test_no_policy_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no policy file \(\*\.yaml\) here"):
        load_policy(tmp_path)
    with pytest.raises(FileError, match="cannot be read: No such file"):
        load_policy(tmp_path / "gone")


def test_all_errors_of_all_files_are_reported(tmp_path: Path) -> None:
    assert errors(tmp_path, a="version: 2\nrule: []\n", b="version: 1\nmode: observ\n", c=WHOLE, d="a: [") == [
        "a.yaml:1:10: version: must be 1",
        'a.yaml:2:1: rule: unknown key `rule`\n  fix: did you mean "rules"?',
        'b.yaml:2:7: mode: unknown word `observ`\n  fix: did you mean "observe"?',
        "d.yaml:1:5: not YAML: expected the node content, but found '<stream end>'",
    ]


RULE = "rules:\n  - name: r\n    actors: [ci]\n    targets: [db]\n"
IN_RULES = [
    (
        "    allow: {kinds: [selct]}\n",
        '12:21: rules[0].allow.kinds[0]: unknown kind `selct`\n  fix: did you mean "select"?',
    ),
    ("    allow: {kinds: []}\n", "12:20: rules[0].allow.kinds: must not be empty"),
    ("    allow: {}\n", "9:5: rules[0]: `allow` has no condition: `kinds: any` means everything"),
    ("    allow: {relations: a.b}\n", "9:5: rules[0]: `allow` needs `kinds` (`any` for all)"),
    ("    deny: {kind: drop}\n", '12:12: rules[0].deny.kind: unknown key `kind`\n  fix: did you mean "kinds"?'),
    ("    mode: observe\n", "9:5: rules[0]: exactly one of `allow`, `deny`, `approve` and `observe` is needed"),
    (
        "    allow: {kinds: any}\n    deny: {kinds: any}\n",
        "9:5: rules[0]: exactly one of `allow`, `deny`, `approve` and `observe` is needed",
    ),
    (
        "    allow: {kinds: any}\n    mode: observe\n",
        "9:5: rules[0]: `mode` goes with `deny` and `approve`: nothing else is carried out",
    ),
    (
        "    deny: {relations: [a.b, users]}\n",
        "12:29: rules[0].deny.relations[1]: `users` has no schema\n  fix: write schema.name, *.users, or *",
    ),
    ("    deny: {relations: ['a.[bc]']}\n", "12:24: rules[0].deny.relations[0]: [ ] { } are not special in a pattern"),
    ("    deny: {kinds: 5}\n", "12:19: rules[0].deny.kinds[0]: a text is needed"),
    ("    deny: any\n", "12:11: rules[0].deny: a mapping is needed"),
]


@pytest.mark.parametrize(("text", "error"), IN_RULES)
def test_errors_in_rules(tmp_path: Path, text: str, error: str) -> None:
    (found,) = errors(tmp_path, p=HEAD + RULE + text)
    assert found.startswith(f"p.yaml:{error}")


IN_OTHERS = [
    ("actors:\n  - {name: a}\n", "3:5: actors[0]: no condition"),
    ("actors:\n  - {name: a, cgroup: a/b}\n", "3:23: actors[0].cgroup[0]: a path pattern starts with `/`"),
    ("actors:\n  - {name: a, executable: [/a, /b**]}\n", "3:32: actors[0].executable[1]: `**` stands alone"),
    ("actors:\n  - {name: a, uid: '0'}\n", "3:20: actors[0].uid[0]: a whole number is needed"),
    ("actors:\n  - {name: a, command_line: x}\n", "3:5: actors[0]: command_line is a claim"),
    (
        "actors:\n  - {name: a, unit: x, grade: claim}\n",
        '3:31: actors[0].grade: unknown word `claim`\n  fix: did you mean "cl',
    ),
    (
        "actors:\n  - {name: a, parent_executable: /x, grade: kernel-attested}\n",
        "3:5: actors[0]: parent_executable is runtime-attested",
    ),
    ("actors:\n  - {name: 'a b', unit: x}\n", "3:12: actors[0].name: a name is at most 63 letters"),
    (
        "targets:\n  - {name: t, protocol: postgres, match: {addresses: 10.0.0.300/32}}\n",
        "3:54: targets[0].match.addresses[0]: not an address or network",
    ),
    (
        "targets:\n  - {name: t, protocol: postgres, match: {addresses: 10.0.0.5/24}}\n",
        "3:54: targets[0].match.addresses[0]: not an address or network: 10.0.0.5/24 has host bits set",
    ),
    ("targets:\n  - {name: t, protocol: postgres, match: {ports: 1}}\n", "3:42: targets[0].match: `hosts` or `addr"),
    (
        "targets:\n  - {name: t, protocol: oracle, match: {hosts: a}}\n",
        "3:25: targets[0].protocol: unknown word `oracle`",
    ),
    (
        "targets:\n  - {name: t, protocol: mysql, match: {hosts: a}, client_auth: scram, "
        "placeholder_password: {systemd: p}, credential: c}\ncredentials: [{name: c, user: u, systemd: s}]\n",
        "3:5: targets[0]: `client_auth: scram` goes with `protocol: postgres`",
    ),
    (
        "targets:\n  - {name: t, protocol: postgres, match: {hosts: a}, tls: {upstream: require}}\n",
        "3:70: targets[0].tls.upstream: unknown word `require`",
    ),
    (
        "targets:\n  - {name: t, protocol: postgres, match: {hosts: a}, tls: {upstream: off, ca_file: /x}}\n",
        "3:59: targets[0].tls: `upstream: off` verifies nothing",
    ),
    ("credentials:\n  - {name: c, user: u}\n", "3:5: credentials[0]: exactly one of `file`"),
    ("credentials:\n  - {name: c, user: u, file: x}\n", "3:30: credentials[0].file: an absolute path is needed"),
    ("credentials:\n  - {name: c, user: u, file: /x, systemd: y}\n", "3:5: credentials[0]: exactly one of `file`"),
]


@pytest.mark.parametrize(("text", "error"), IN_OTHERS)
def test_errors_in_other_sections(tmp_path: Path, text: str, error: str) -> None:
    assert any(found.startswith(f"p.yaml:{error}") for found in errors(tmp_path, p="version: 1\n" + text))


@pytest.mark.parametrize("key", ["secret", "password", "env", "value", "token"])
def test_an_inline_secret_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    found = errors(tmp_path, p=f"version: 1\ncredentials:\n  - {{name: c, user: u, file: /x, {key}: hunter2}}\n")
    assert found[0].startswith(f"p.yaml:3:34: credentials[0].{key}: a secret never stands in a policy file")
    assert "hunter2" not in str(found)


def test_names_are_unique_across_files(tmp_path: Path) -> None:
    again = "version: 1\nactors:\n  - {name: ci, unit: x}\n"
    (found,) = errors(tmp_path, a=WHOLE, b=again)
    assert found.startswith("b.yaml:3:12: actors[0].name: `ci` is taken, see ")
    assert "a.yaml:3:12" in found


def test_dangling_names(tmp_path: Path) -> None:
    text = HEAD + "    credential: reader\nrules:\n  - {name: r, actors: [ci, cj], targets: dbb, allow: {kinds: any}}\n"
    assert errors(tmp_path, p=text) == [
        "p.yaml:8:17: targets[0].credential: unknown credential `reader`",
        "p.yaml:10:28: rules[0].actors[1]: unknown class of actors `cj`\n  fix: known: ci",
        'p.yaml:10:42: rules[0].targets[0]: unknown target `dbb`\n  fix: did you mean "db"?',
    ]


def test_modes_must_agree(tmp_path: Path) -> None:
    assert load_policy(write(tmp_path, a=WHOLE + "mode: observe\n")).mode is Mode.OBSERVE
    (found,) = errors(tmp_path, b="version: 1\nmode: enforce\n")
    assert found.startswith("b.yaml:2:7: mode: `enforce`, but ")


@pytest.mark.parametrize(
    ("match", "collides"),
    [
        ("{addresses: 10.0.0.5}", True),
        ("{addresses: [10.0.0.5, 10.0.0.6]}", True),
        ("{addresses: 10.0.0.0/24}", False),
        ("{addresses: 10.0.0.5, ports: 5432}", False),
        ("{hosts: db, addresses: 10.0.0.5}", False),
    ],
)
def test_targets_that_cover_the_same_as_exactly(tmp_path: Path, match: str, collides: bool) -> None:
    beside = f"version: 1\ntargets:\n  - {{name: other, protocol: mysql, match: {match}}}\n"
    assert load_policy(write(tmp_path, a=WHOLE, b=beside)), "the first bytes of a client say which"
    other = f"version: 1\ntargets:\n  - {{name: other, protocol: postgres, match: {match}}}\n"
    if collides:
        (found,) = errors(tmp_path, a=WHOLE, b=other)
        assert found.startswith(
            "b.yaml:3:46: targets[0].match: covers a destination that target `db` covers as exactly"
        )
    else:
        assert len(load_policy(write(tmp_path, a=WHOLE, b=other)).targets) == 2
