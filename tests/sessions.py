"""Run the Python that a page or a notebook shows."""

import ast
import sys

import pytest


class Session:
    """Python run in a namespace of its own, statement by statement, as an interactive session runs it.

    Parameters
    ----------
    blocks : list of str
        The code.
    file : Path
        Where it stands, for tracebacks.
    folder : Path or None
        The working directory.

    Attributes
    ----------
    names : dict
        The namespace after the last statement.
    shown : dict of str
        What each expression prints, by its source.
    """

    def __init__(self, blocks, file, folder=None):
        self.names, self.shown, self.folder = {"__name__": "session"}, {}, folder
        for statement in (node for block in blocks for node in ast.parse(block).body):
            source = ast.unparse(statement)
            code = compile(ast.Interactive([statement]), str(file), "single")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "displayhook", lambda value, source=source: self.show(source, value))
                exec(code, self.names)

    def show(self, source, value):
        self.shown[source] = "" if value is None else repr(value)

    def printed(self, start):
        """Return what the one expression that starts so prints."""
        (found,) = [text for source, text in self.shown.items() if source.startswith(start)]
        return found
