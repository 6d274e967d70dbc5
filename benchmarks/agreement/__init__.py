"""Posteriors against long Gibbs runs and against enumeration: ``python -m benchmarks.agreement``."""
