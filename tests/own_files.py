"""What tests of files of one's own share: a file written to a folder, and a command about it."""

import pytest
from typer.testing import CliRunner

from comparisons.comparison.command import application


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content, name="mine.csv"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def invoke(family, *arguments):
    return CliRunner().invoke(application(family), list(arguments))
