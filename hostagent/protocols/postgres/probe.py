"""The question that the session itself asks the server, once, before the client may speak: where do names resolve?"""

from __future__ import annotations

from hostagent.errors import PeerError
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.settings import Settings, parse_schemas

PROBE = messages.query(b"SELECT pg_catalog.current_schemas(false)")


class Probe:
    """Takes the answer to `PROBE`; none of it reaches the client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.asked = False

    def absorbs(self, kind: int, body: bytes) -> bool:
        """Whether that message is part of the answer. An error leaves the schemas unknown. Raises PeerError."""
        if kind == messages.DATA_ROW:
            value = messages.first_column(body)
            text = None if value is None else value.decode(self._settings.codec, "replace")
            self._settings.schemas = None if text is None or "\ufffd" in text else parse_schemas(text)
            return True
        if kind in (messages.ROW_DESCRIPTION, messages.COMMAND_COMPLETE):
            return True
        if kind == messages.ERROR:
            return not messages.error_fields(body).get("V", "").startswith(("FATAL", "PANIC"))
        raise PeerError(f"an unexpected message {chr(kind)!r} from the server")
