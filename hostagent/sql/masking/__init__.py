"""Masking at the source: a statement is rewritten so that masked values never leave the server. Pure: no I/O, no clock.

Files: values (masks and results) · query, catalog.sql (what the server is asked) · catalog (what it answers)
· rewrite (the one way in) · statements, sites (what a text is and names) · columns, views, policies (what is masked)
· expression (the SQL of a mask) · replace, returning, text (edits) · writes, grouping, routines, system (refusals)
· verify (the last look) · shape.
"""
