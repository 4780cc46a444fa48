"""The laboratory: real servers, namespaces and a real daemon, for tests, the demo and the bench alike."""
