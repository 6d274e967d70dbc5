"""Calling a student's function: which argument is which, within a time limit, and what it returned."""
