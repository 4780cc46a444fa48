"""Credentials: where a target's secret comes from. Never an environment variable, never the policy text."""
