"""hostagent: intercepts, attributes, decides and records the egress of governed processes."""

__version__ = "0.1.0"
