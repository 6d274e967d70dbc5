"""A small assignment in nbgrader's format, and submissions of it that are hostile, broken or merely wrong."""

import json

from comparisons.coursework.sources import Assignment, cells_of

LOCKED = {"given": (False, False), "test": (True, False)}  # grade, solution
KINDS = LOCKED | {"answer": (False, True), "read": (True, True)}


def cell(kind, name, source, points=0, cell_type="code"):
    grade, solution = KINDS[kind]
    marked = {"grade": grade, "solution": solution, "locked": kind in LOCKED, "grade_id": name}
    marked |= {"schema_version": 3, "points": points}
    output = {"outputs": [], "execution_count": None} if cell_type == "code" else {}
    return {"cell_type": cell_type, "id": name, "metadata": {"nbgrader": marked}, "source": source, **output}


def plain(source):
    return {"cell_type": "code", "id": "x", "metadata": {}, "source": source, "outputs": [], "execution_count": None}


SQUARE = "def square(x):\n    ### BEGIN SOLUTION\n    return x**2\n    ### END SOLUTION"
CUBE = "def cube(x):\n    ### BEGIN SOLUTION\n    return x**3\n    ### END SOLUTION"
SQUARE_TEST = """
assert square(2) == 4
### BEGIN HIDDEN TESTS
found = square(np.arange(5.0))
assert np.shape(found) == (5,), "square must keep the shape"
assert np.allclose(found, np.arange(5.0) ** 2), "wrong squares"
### END HIDDEN TESTS
""".strip()
CUBE_TEST = "### BEGIN HIDDEN TESTS\nassert cube(3) == 27, 'wrong cube'\n### END HIDDEN TESTS"


def notebook(square=SQUARE, cube=CUBE, text="A square is a product.", before=()):
    cells = [
        cell("given", "imports", "import numpy as np"),
        *before,
        cell("answer", "square", square),
        cell("test", "square-test", SQUARE_TEST, 3),
        cell("answer", "cube", cube),
        cell("test", "cube-test", CUBE_TEST, 2),
        cell("read", "why", text, 4, "markdown"),
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


TOY = Assignment("toy", cells_of(notebook()))
DEFINES = "def square(x):\n    return x**2\n"
WRONG = "def square(x):\n    return x + 1\n"

# What stands in the cell of the square: its points are lost, those of the cube are kept.
HOSTILE = {
    "an endless loop": "while True:\n    pass",
    "an endless loop that catches everything": """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
    "a sleeper": "import time\ntime.sleep(1000)",
    "an eater of memory": "x = bytearray(2**40)",
    "an eater of memory in bits": "x = []\nwhile True:\n    x.append(bytearray(10**8))",
    "a fork bomb": "import os\nwhile True:\n    os.fork()",
    "leaves by os._exit": "import os\nos._exit(0)",
    "leaves by sys.exit": "import sys\nsys.exit(0)",
    "kills its parent and its group": """
import os, signal
os.setsid()
os.kill(os.getppid(), signal.SIGKILL)
os.killpg(0, signal.SIGKILL)
""",
    "floods the output": """
import sys
for _ in range(200):
    print("x" * 10**6)
    print("y" * 10**6, file=sys.stderr)
raise ValueError
""",
    "patches the tests' tools": f"""
import builtins, numpy, numpy.testing
numpy.allclose = numpy.isclose = numpy.array_equal = numpy.testing.assert_allclose = lambda *a, **k: True
builtins.AssertionError = type("Fine", (BaseException,), {{}})
{WRONG}""",
    "equals everything": """
class Yes:
    shape = (5,)
    def __eq__(self, other): return True
    def __bool__(self): return True
    def __array__(self, *a, **k): raise ValueError
def square(x):
    return Yes()
""",
    "prints that all is well": f'print(\'{{"value": null, "points": 3}}\')\n{WRONG}',
    "a value that is too large": "import numpy as np\ndef square(x):\n    return np.zeros(10**8)\n",
    "a deep value": """
def square(x):
    out = []
    for _ in range(10**5):
        out = [out]
    return out
""",
    "recursion": "def square(x):\n    return square(x)\n",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "wrong syntax": "def square(x)\n    return",
    "nothing": "",
    "leaves when it is called": "def square(x):\n    import os\n    os._exit(0)\n",
}
ON_THE_PIPE = """
import os
for descriptor in range(3, 40):
    try:
        os.write(descriptor, {reply!r} * 50)
    except OSError:
        pass
"""
HOSTILE["writes nonsense as replies"] = ON_THE_PIPE.format(reply=b"\0[[[[\n") + WRONG
# Replies that can be read are taken for those of the next requests, and what comes after is lost.
TAMPERS = {"writes replies itself": ON_THE_PIPE.format(reply=b'{"value": 4}\n') + WRONG}


def written(notebook, path):
    path.write_text(json.dumps(notebook))
    return path
