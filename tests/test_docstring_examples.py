"""Every example in a docstring of `models` and `em` is run, with warnings as errors."""

import doctest
import importlib
import pkgutil
import warnings

import pytest

import em
import models


def module_names(package):
    return [package.__name__, *(info.name for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."))]


NAMES = [*module_names(models), *module_names(em)]
WITH_EXAMPLES = {
    "models.one_line",
    "em.gmm",
    "em.bmm",
    "em.gmm_estimator",
    "em.bmm_estimator",
    "em.kmeans",
    "em.saving",
    "em.bound",
    "em.identifiability",
    "em.fitted",
    "em.entries",
    "em.gmm_information",
    "em.bmm_information",
    "em.bootstrap",
    "em.selection",
    "em.likelihood_ratio",
    "em.anomalies",
    "em.plots",
    "em.gibbs",
    "em.gmm_conjugate",
    "em.bmm_conjugate",
    "em.variational",
}


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings_are_true(name):
    module = importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0 or name not in WITH_EXAMPLES


def test_every_module_is_looked_at():
    assert set(NAMES) > WITH_EXAMPLES
    assert {"models.gmm.generative", "models.bmm.generative"} < set(NAMES)
