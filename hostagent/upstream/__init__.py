"""The upstream leg: how the real destination is reached and who it must prove to be. Knows no protocol."""
