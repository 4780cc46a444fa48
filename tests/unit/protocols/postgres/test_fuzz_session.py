"""The whole session against peers that send anything: generated scripts, the fuzzers' corpus, mutated real transcripts.

The rules are those of `tests/fuzz/play.py`: what goes upstream was decided, each text once for each time that it is
planned or run; only PeerError escapes; what is kept is bounded.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.protocols.base import Leg
from tests.fuzz.play import Play, play, read_transcript, replay
from tests.fuzz.server import Server
from tests.unit.protocols.postgres import wire

FUZZ = Path(__file__).parents[3] / "fuzz"
TRANSCRIPTS = {path.stem: read_transcript(path) for path in sorted((FUZZ / "transcripts").iterdir())}

byte = st.integers(0, 255)
client = st.tuples(st.integers(0, 155), st.integers(0, 15), st.integers(0, 3)).map(bytes)
decision = st.just(bytes((170, 0, 0)))
answer = st.tuples(st.integers(180, 199), byte, st.integers(0, 3)).map(bytes)
trickle = st.tuples(st.integers(200, 214), st.integers(0, 12), st.integers(0, 30)).map(bytes)
lie = st.tuples(st.integers(215, 229), byte, st.just(0)).map(bytes)
raw = st.tuples(st.integers(230, 255), st.binary(max_size=30)).map(lambda r: bytes((r[0], len(r[1]), 0)) + r[1])
steps = st.lists(st.one_of(client, client, client, decision, decision, answer, answer, trickle, lie, raw), max_size=60)
Mutation = tuple[int, str, bytes, int]
mutations = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(["drop", "double", "swap", "flip", "insert", "cut"]),
              st.binary(min_size=1, max_size=20), st.integers(0, 4000)),
    max_size=6,
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.booleans(), steps)
def test_generated_scripts(honest: bool, script: list[bytes]) -> None:
    play(bytes([honest]) + b"".join(script))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_script(script: bytes) -> None:
    play(script)


@pytest.mark.parametrize("path", sorted((FUZZ / "corpus").iterdir()), ids=lambda path: path.name)
def test_the_corpus(path: Path) -> None:
    play(path.read_bytes())


@pytest.mark.parametrize("name", TRANSCRIPTS)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_real_transcript_goes_through_in_pieces(name: str, size: int) -> None:
    made = replay([(leg, data[n : n + size]) for leg, data in TRANSCRIPTS[name] for n in range(0, len(data), size)])
    assert "ended" in repr(made.session)  # by the client's Terminate


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(TRANSCRIPTS)), mutations)
def test_a_mutated_transcript(name: str, changes: list[Mutation]) -> None:
    transcript = list(TRANSCRIPTS[name])
    for change in changes:
        mutate(transcript, *change)
    replay(transcript)


def mutate(transcript: list[tuple[Leg, bytes]], at: int, how: str, data: bytes, offset: int) -> None:
    """Change one run of bytes of a transcript."""
    at %= len(transcript)
    leg, was = transcript[at]
    offset %= len(was) + 1
    match how:
        case "drop" if len(transcript) > 1:
            del transcript[at]
        case "double":
            transcript.insert(at, (leg, was))
        case "swap":
            transcript[at] = (Leg.UPSTREAM if leg is Leg.CLIENT else Leg.CLIENT, was)
        case "flip":
            transcript[at] = (leg, was[:offset] + data + was[offset + len(data) :])
        case "insert":
            transcript[at] = (leg, was[:offset] + data + was[offset:])
        case _:
            transcript[at : at + 1] = [(leg, was[:offset]), (leg, was[offset:])]


def test_the_server_of_the_oracle_refuses_what_was_not_decided() -> None:
    server = Server()
    with pytest.raises(AssertionError, match="not decided"):
        server.receive(wire.query("select 1"))
    server.decide("select 1", runs=True)
    assert server.receive(wire.query("select 1")).endswith(wire.READY)
    with pytest.raises(AssertionError, match="not decided"):
        server.receive(wire.query("select 1"))
    server.decide("select 2", runs=False)
    server.receive(wire.parse("select 2", "s"))
    with pytest.raises(AssertionError, match="not decided"):
        server.receive(wire.bind("", "s"))


def test_a_statement_that_is_decided_on_is_run() -> None:
    made = Play(honest=True)
    made.client(wire.query("select 1"))
    assert made.server.ran == []
    made.decide()
    assert made.server.ran == [b"select 1"]
    made.client(wire.query("secret 1"))
    made.finish()
    assert made.server.ran == [b"select 1"]


@pytest.mark.parametrize(
    "before",
    [
        wire.parse("select 2", "s") + wire.SYNC,  # fails: the name is taken
        (wire.parse("select 2", "s") + wire.SYNC) * 2,
        wire.parse("bad 1") + wire.close("S", "s") + wire.parse("select 2", "s") + wire.SYNC,
    ],
    ids=["a failed parse", "two failed parses", "a skipped close"],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_bind_is_asked_about_as_what_the_server_will_run(before: bytes, at_once: bool) -> None:
    made = Play(honest=True)
    made.client(wire.parse("select 1", "s") + wire.SYNC)
    made.finish()
    bound = wire.bind("", "s") + wire.execute() + wire.SYNC
    made.client(before + bound if at_once else before)
    made.finish()
    if not at_once:
        made.client(bound)
        made.finish()
    assert made.server.ran == [b"select 1"]
