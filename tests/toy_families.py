"""Families whose files stand on a page of the documentation, added from a folder of their own."""

import importlib
import re
import sys
from pathlib import Path

import pytest
from random_mixtures import all_labellings, declared_density, joint_density_of_labels
from scipy.special import logsumexp

import comparisons
import em
import models

ROOMS = {"models": models, "em": em, "comparisons": comparisons}
WAITING = [  # the same recipe, of waiting times x ~ Gamma(s, rate λ_kd): a Gamma prior, and data that are not counts
    ("Negative binomial mixture", "Waiting times"),
    ("negbin", "waiting"),
    ("Negbin", "Waiting"),
    ("NEGBIN", "WAITING"),
    ("probs", "rates"),
    ("PROBABILITY", "POSITIVE"),
    ("n_successes", "shape"),
    ("successes", "shape"),
    ("failures: Array", "rate: Array"),
    ('"failures"', '"rate"'),
    ("prior.failures", "prior.rate"),
    ("Counts", "Positives"),
    ("Beta", "Gamma"),
    ("steps.beta", "steps.gamma"),
    ("rng.negative_binomial(size, self.rates[z])", "rng.gamma(size, 1 / self.rates[z])"),
    ('pm.NegativeBinomial, {"n"', 'pm.Gamma, {"alpha"'),
    ('"p": own', '"beta": own'),
    ("pt.log1p(-theta[", "-(theta["),
    (
        "log_factorial(x + r - 1) - log_factorial(r - 1) - log_factorial(x)",
        "(r - 1) * pt.log(x + (size == 0)) - log_factorial(r - 1)",
    ),
    ("gammaln(x + r) - gammaln(r) - gammaln(x + 1)", "(r - 1) * np.log(x + (size == 0)) - gammaln(r)"),
    ('size * (1 - theta["rates"]) / theta["rates"]', 'size / theta["rates"]'),
]


def files_of(page, family):
    """Return the files of a family by their paths, as a page of the repository has them."""
    text = (Path(__file__).parents[1] / page).read_text(encoding="utf-8")
    files = dict(re.findall(r"```py(?:thon)?\n# (\S+\.py)\n(.*?)```", text, flags=re.DOTALL))
    return {
        path: content for path, content in files.items() if path.split("/")[:2] in [[room, family] for room in ROOMS]
    }


def added(name, files, folder):
    """Write a family's files, and return its modules by room."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for room, package in ROOMS.items():
        package.__path__.append(str(folder / room))
    importlib.invalidate_caches()
    return {room: importlib.import_module(f"{room}.{name}") for room in ROOMS}


def removed(name, folder):
    for room, package in ROOMS.items():
        package.__path__.remove(str(folder / room))
        delattr(package, name)
    for module in [m for m in sys.modules if m.split(".")[1:2] == [name]]:
        del sys.modules[module]


def toy(name, files):
    @pytest.fixture(scope="module", name=name)
    def fixture(tmp_path_factory):
        folder = tmp_path_factory.mktemp(name)
        yield added(name, files, folder)
        removed(name, folder)

    return fixture


def log_densities(modules, rows, theta, prior):
    """Return log p(X) by the model with labels, all of which are summed, by the one without, and by the E-step."""
    density = joint_density_of_labels(modules["models"].build_model(rows, 2, prior))
    enumerated = logsumexp(density(theta, all_labellings(2, len(rows)))) - prior.log_prob(theta)
    marginal = declared_density(modules["models"].build_marginal_model(rows, 2, prior), ["x"])(theta.arrays())
    return [enumerated, marginal, modules["em"].e_step(rows, theta)[1]]


def recipe():
    """Return the files of the recipe by their paths."""
    return files_of("CONTRIBUTING.md", "negbin")


def waiting():
    """Return the recipe with another distribution."""
    files = {}
    for path, text in recipe().items():
        for old, new in WAITING:
            path, text = path.replace(old, new), text.replace(old, new)
        text = re.sub(r"\n    def values.*?(?=\n\n\n)", "", text, flags=re.DOTALL)
        files[path] = re.sub(r"\n    Examples\n    -----.*?(?=    \"\"\")", "", text, flags=re.DOTALL)
    return files
