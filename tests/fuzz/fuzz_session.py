"""Fuzzes the PostgreSQL session: `fuzz_session.py [SECONDS] [SEED]`, or under atheris where that is installed.

    python tests/fuzz/fuzz_session.py 60            a loop without coverage: mutates and splices the corpus
    python tests/fuzz/fuzz_session.py tests/fuzz/corpus -max_total_time=60      atheris (libFuzzer's arguments)

The input that broke a rule is written to the working directory as `crash-…`; put it into the corpus once it is fixed.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

CORPUS = Path(__file__).parent / "corpus"


def one_input(data: bytes) -> None:
    """The target."""
    play(data)


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """A new script from old ones: steps are replaced, doubled, dropped, spliced."""
    data = bytearray(chance.choice(seeds))
    other = chance.choice(seeds)
    for _ in range(chance.randrange(1, 12)):
        at = 1 + 3 * chance.randrange(1 + len(data) // 3)
        match chance.randrange(5):
            case 0:
                data[at : at + 3] = chance.randbytes(3)
            case 1:
                data[at:at] = data[at : at + 3 * chance.randrange(1, 9)]
            case 2:
                del data[at : at + 3 * chance.randrange(1, 4)]
            case 3:
                start = 1 + 3 * chance.randrange(1 + len(other) // 3)
                data[at:at] = other[start : start + 3 * chance.randrange(1, 20)]
            case _:
                data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[:1500])


def loop(seconds: float, seed: int) -> int:
    """Run mutated inputs for so long; how many."""
    chance = random.Random(seed)
    seeds = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = mutated(chance, seeds)
        try:
            one_input(data)
        except BaseException:
            Path(f"crash-{hashlib.sha1(data).hexdigest()[:12]}").write_bytes(data)
            raise
        done += 1
        if chance.random() < 0.02:
            seeds.append(data)
    return done


if __name__ == "__main__":
    try:
        import atheris  # type: ignore[import-not-found]
    except ImportError:
        from tests.fuzz.play import play

        numbers = [float(word) for word in sys.argv[1:]] or [60.0]
        print(loop(numbers[0], int(numbers[1]) if len(numbers) > 1 else 0), "inputs, no rule broken")
    else:
        with atheris.instrument_imports(include=["hostagent", "tests.fuzz"]):
            from tests.fuzz.play import play
        atheris.Setup(sys.argv, one_input)
        atheris.Fuzz()
