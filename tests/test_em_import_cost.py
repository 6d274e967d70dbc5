"""Importing and using `em` loads nothing that scikit-learn has not loaded: no PyMC, no JAX, no Numba, no Matplotlib."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

IMPORT = """
import json, sys
import sklearn.cluster, sklearn.mixture
rival = {name.partition(".")[0] for name in sys.modules}
import models.bmm, models.gmm
from em import BernoulliMixtureEM, GaussianMixtureEM
GaussianMixtureEM(1).fit([[0.0], [1.0], [3.0]]).sample(3)
BernoulliMixtureEM(1).fit([[0, 1], [1, 1], [1, 0]]).sample(3)
loaded = {name.partition(".")[0] for name in sys.modules} - rival
print(json.dumps(sorted(loaded - sys.stdlib_module_names)))
"""


def test_importing_and_using_em_loads_no_package_that_scikit_learn_does_without():
    result = subprocess.run(
        [sys.executable, "-c", IMPORT],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == ["em", "models"]
