"""Content detectors: what in the text of results looks like a card number, a national id, a key or a token."""
