"""The login plugins that are spoken here, one family a file: what a password and a scramble give."""
