"""Credentials: where a target's secret comes from, and how it is kept fresh. Never an environment variable, never the
policy text; never in a log, an event or a `repr`.

    sources  a file, or a systemd credential          helper  a program that prints it
    vault    Vault's HTTP API, over http              store   what is held of the last two, refreshed by timing's rules
    certificate  the client certificate of the upstream leg
"""
