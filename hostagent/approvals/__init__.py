"""Holding a statement until a human has answered: who may answer, what is asked, and what is told to others."""
