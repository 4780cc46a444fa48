"""The runtime: one worker process, its only I/O loop (the pump), and its channel to the supervisor."""
