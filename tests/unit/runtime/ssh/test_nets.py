"""Output is looked through as a stream, and the recording holds what the client got."""

from __future__ import annotations

from pathlib import Path

from hostagent.content.detector import Detector
from tests.lab.sshd import Sshd
from tests.unit.runtime.ssh.harness import Harness, play

CARD = "4111111111111111"


def test_a_card_number_does_not_pass_in_two_pieces(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        given = h.worker.detector_of
        h.worker.detector_of = lambda *_: Detector(("card",), ())  # type: ignore[method-assign]
        script = f"printf 'card {CARD[:8]}'; sleep 0.01; printf '{CARD[8:]} end\\n'; printf '{CARD}\\n' >&2; exit 3\n"
        code, output, errors = await h.ssh("-T", stdin=script.encode())
        assert code == 3 and CARD.encode() not in output + errors and b"card *" in output
        assert b" end\n" in output
        (finished,) = h.events("finished")
        assert sum(finished["unmapped"]["detected"].values()) == 2
        h.worker.detector_of = given  # type: ignore[method-assign]
        code, output, errors = await h.ssh("-T", stdin=script.encode())
        assert CARD.encode() in output and CARD.encode() in errors

    play(sshd, tmp_path, scene)
