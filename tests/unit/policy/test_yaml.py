from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hostagent.errors import FileError
from hostagent.policy.model import PolicyFile
from hostagent.policy.yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES, model_of, parse, read_model


def refusal(text: str) -> str:
    with pytest.raises(FileError) as caught:
        parse(text, "p.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("a: on", {"a": "on"}),
        ("a: true", {"a": True}),
        ("a: 10", {"a": 10}),
        ("a: -1", {"a": -1}),
        ("a: 1.5", {"a": 1.5}),
        ("a: '10'", {"a": "10"}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: 10.0.0.5/32", {"a": "10.0.0.5/32"}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("%YAML 1.1\n---\na: no", {"a": "no"}),
        ("- [x, {y: z}]\n- |\n  block\n", [["x", {"y": "z"}], "block\n"]),
    ],
)
def test_values(text: str, value: object) -> None:
    assert parse(text, "p.yaml")[0] == value


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: 1\nb: 2\na: 3\n", "p.yaml:3:1: duplicate key `a`\n  fix: the first one is at line 1: keep one"),
        ("a:\n  - {x: 1, x: 2}", "p.yaml:2:12: duplicate key `x`"),
        ("a: [", "p.yaml:1:5: not YAML: expected the node content"),
        ("a: b: c", "p.yaml:1:5: not YAML: mapping values are not allowed here"),
        ("a: &x 1\nb: *x", "p.yaml:1:4: anchors and aliases are not allowed"),
        ("a: *x", "p.yaml:1:4: anchors and aliases are not allowed"),
        ("<<: {a: 1}", "p.yaml:1:1: anchors, tags and merge keys are not allowed"),
        ("a: !!python/object x", "p.yaml:1:4: the tag tag:yaml.org,2002:python/object is not allowed"),
        ("a: 010", "p.yaml:1:4: `010` is a number to some readers only"),
        ("a: 0x1F", "p.yaml:1:4: `0x1F` is a number to some readers only"),
        ("a: 1_000", "p.yaml:1:4: `1_000` is a number to some readers only"),
        ("? [a]\n: b", "p.yaml:1:3: a key must be a word"),
        ("a: 1\n---\nb: 2", "p.yaml:2:1: a second document"),
        ("", "p.yaml:1:1: the file is empty"),
        ("# nothing", "p.yaml:1:1: the file is empty"),
        ("- \x00", "p.yaml:1:1: not YAML: unacceptable character #x0000"),
        ('"\\ud800"', "p.yaml:1:1: half a surrogate pair"),
        ("[" * (MAX_DEPTH + 2), f"p.yaml:1:{MAX_DEPTH + 2}: nested deeper than {MAX_DEPTH} levels"),
        ("[" * 5000, "nested deeper"),
    ],
)
def test_refusals_say_where(text: str, error: str) -> None:
    assert error in refusal(text)


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(9))
    assert "p.yaml:1:4" in refusal(bomb)


def test_more_values_than_the_bound() -> None:
    assert f"more than {MAX_NODES} values" in refusal("[" + "1," * (MAX_NODES + 1) + "]")


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"a" * (MAX_BYTES + 1), "p.yaml:1:1: larger than"), (b"a: 1\nb: \xff\n", "p.yaml:2:1: not UTF-8 text")],
)
def test_unreadable_content(tmp_path: Path, content: bytes, error: str) -> None:
    (tmp_path / "p.yaml").write_bytes(content)
    with pytest.raises(FileError, match=error):
        read_model(tmp_path / "p.yaml", PolicyFile)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"gone\.yaml:1:1: cannot be read: No such file"):
        read_model(tmp_path / "gone.yaml", PolicyFile)


YAMLISH = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="abc:-[]{}&*!|>'\"%#? \n\t,\\xuU0189~<.", max_size=120),
    st.lists(
        st.sampled_from(
            [
                "version: 1\n",
                "rules:\n",
                "  - name: a\n",
                "    allow: {kinds: any}\n",
                "actors: '*'\n",
                "- ",
                "&a ",
                "*a",
            ]
        ),
        max_size=12,
    ).map("".join),
)


@given(YAMLISH)
@example('"\\U00110000"')
@example("!<%> a")
@example("a: " + "9" * 5000)
def test_only_file_errors_escape(text: str) -> None:
    try:
        model, _ = model_of(text, "p.yaml", PolicyFile)
    except FileError as error:
        assert str(error).startswith("p.yaml:")
    else:
        assert model.version == 1
