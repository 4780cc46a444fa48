"""The values that every layer speaks in: no I/O, no behaviour beyond their own shape.

One word each, as in ARCHITECTURE.md: flow, actor, destination, target, session, request, decision.
"""
