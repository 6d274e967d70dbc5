"""The judge's process: it prints the marks of one submission, given assignment, limits and hidden folders, as JSON."""

import json
import signal
import sys
from pathlib import Path

from comparisons.coursework.marking.answers import Limits
from comparisons.coursework.marking.judge import mark_file
from comparisons.coursework.sources import load_assignment

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as an exception, which ends the student's process, too
    submission, assignment, limits, hidden = sys.argv[1:]
    folders = [Path(folder) for folder in json.loads(hidden)]
    marks = mark_file(Path(submission), load_assignment(Path(assignment)), Limits(**json.loads(limits)), folders)
    print(json.dumps(marks.to_json()))
