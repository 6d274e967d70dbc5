"""Fast passes over large data, each held to the plain definition by a test."""
