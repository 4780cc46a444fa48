"""The daemon's log: one line a thing that happened, `key=value`, with a stable event name. No payload, no secret."""

from __future__ import annotations

import json
import logging
import sys

_LOGGER = logging.getLogger("hostagent")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/[]@%+*,")


def set_up(level: str = "info") -> None:
    """Send log lines to standard error; what else logs under `hostagent` takes the same form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_KeyValue())
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(level.upper())
    _LOGGER.propagate = False


def info(event: str, /, **fields: object) -> None:
    """Log something ordinary."""
    _LOGGER.info(line(event, fields))


def warning(event: str, /, **fields: object) -> None:
    """Log something that an operator should look at."""
    _LOGGER.warning(line(event, fields))


def error(event: str, /, **fields: object) -> None:
    """Log something that does not work."""
    _LOGGER.error(line(event, fields))


def line(event: str, fields: dict[str, object]) -> str:
    """`event=… key=value …`; a value with a space, a quote or a control character is given as a JSON string."""
    return " ".join([f"event={event}", *(f"{key}={_value(value)}" for key, value in fields.items())])


def _value(value: object) -> str:
    text = str(value)
    return text if text and set(text) <= _PLAIN else json.dumps(text, ensure_ascii=False)


class _KeyValue(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if not message.startswith("event="):
            message = line("message", {"from": record.name, "text": message})
        if record.exc_info and record.exc_info[1] is not None:
            message += f" error={_value(repr(record.exc_info[1]))}"
        return f"level={record.levelname.lower()} {message}"
