"""SQL: what a statement is and touches, found by the server's own grammar in a process of its own."""
