"""The host's own certificate authority and the leaves it mints for the client legs."""
