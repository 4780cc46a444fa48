"""Masking MySQL and MariaDB statements at the source. Pure: no I/O, no clock.

Files: rewrite (the one way in) · rules (which statements can be made safe at all) · writes (rows of masked relations)
· query, catalog (what the server is asked, and answers) · columns (what is masked) · expression (the SQL of a mask)
· system (relations of the server) · edits (the text that is sent).
"""
