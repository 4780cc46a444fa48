"""What was done, written down: events in hash-chained journals, session recordings, their index and their proof."""
