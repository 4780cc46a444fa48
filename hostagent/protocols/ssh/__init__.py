"""SSH's file transfers, between the client's channel and the server's: each operation decided before it goes on."""
