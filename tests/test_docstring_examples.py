"""Every example in a docstring is run, none is skipped, with warnings as errors."""

import doctest
import importlib.util
import pkgutil
import warnings
from pathlib import Path

import pytest

import benchmarks
import comparisons
import em
import models


def module_names(package):
    return [package.__name__, *(info.name for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."))]


NAMES = [name for package in (models, em, comparisons, benchmarks) for name in module_names(package)]
WITH_EXAMPLES = {
    "models.shown",
    "em.gmm",
    "em.bmm",
    "em.cmm",
    "em.steps",
    "em.gmm.estimator",
    "em.bmm.estimator",
    "em.kmeans",
    "em.saving",
    "em.bound",
    "em.bmm.deviance",
    "em.identifiability.rank_test",
    "em.samples.distinct",
    "em.fitted",
    "em.uncertainty.entries",
    "em.gmm.information",
    "em.gmm.natural_form",
    "em.gmm.passes",
    "em.kmeans.lloyd",
    "em.steps.problem",
    "em.sizes",
    "em.uncertainty.bootstrap",
    "em.selection",
    "em.likelihood_ratio",
    "em.anomalies",
    "em.engine.path",
    "em.plots.animation",
    "em.plots.colours",
    "em.plots.densities",
    "em.plots.picture",
    "em.plots.silhouettes",
    "em.reports",
    "em.gibbs",
    "em.gmm.posterior",
    "em.samples.parts",
    "em.engine.run",
    "em.variational",
    "comparisons.alignment",
    "comparisons.calibration.steps",
    "comparisons.comparison.steps",
    "comparisons.alignment.component_draws",
    "comparisons.components.criteria",
    "comparisons.concentration",
    "comparisons.coursework.checks",
    "comparisons.coursework.marking.plain",
    "comparisons.coursework.release",
    "comparisons.coursework.students",
    "comparisons.data",
    "comparisons.alignment.diagnosis",
    "comparisons.evidence",
    "comparisons.evidence.exact",
    "comparisons.alignment.mixing",
    "comparisons.posterior",
    "comparisons.posterior.gibbs",
    "comparisons.posterior.predictive",
    "comparisons.alignment.relabelling",
    "comparisons.alignment.responsibilities",
}


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings_are_true(name):
    module = importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0 or name not in WITH_EXAMPLES


def test_no_example_is_skipped():
    files = [importlib.util.find_spec(name).origin for name in NAMES]
    assert [file for file in files if "doctest: +SKIP" in Path(file).read_text(encoding="utf-8")] == []


def test_every_module_is_looked_at():
    assert set(NAMES) > WITH_EXAMPLES
    assert {"models.gmm.story", "models.bmm.story"} < set(NAMES)
