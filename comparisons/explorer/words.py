"""Explain each step by a formula (LaTeX, for Markdown) and a few sentences."""

import re
from importlib import import_module
from inspect import cleandoc

from comparisons.explorer.steps import ByHand

ROLE = r":\w+:`~?([^`]+)`"  # of Sphinx
RULE = r"r_{ik} = \frac{\pi_k\, p(x_i \mid z_i = k, \theta)}{\sum_j \pi_j\, p(x_i \mid z_i = j, \theta)}"
Q = r"Q(\theta, q) = \sum_{ik} q_{ik} \log \{\pi_k\, p(x_i \mid z_i = k, \theta)\}"

WORDS = {
    "start": (
        r"q_{ik} = 1 / K",
        "Parameters are a first guess, and responsibilities are uniform: every sample belongs to all components "
        "equally. Press **E-step**.",
    ),
    "E-step": (
        "q_{ik} = " + RULE,
        "Responsibilities are set by Bayes' rule, parameters stay. The bound rises until it touches the "
        "log-likelihood: the gap is **0**. The log-likelihood itself has not changed. Press **M-step**.",
    ),
    "hard E-step": (
        r"q_{ik} = 1 \text{ if } k = \arg\max_j r_{ij}, \text{ else } 0 \\" + RULE,
        "Each sample goes to its most probable component altogether, as in K-means. The entropy is 0, so the bound is "
        r"Q alone, and the gap that stays is $-\sum_i \log \max_k r_{ik}$: hard EM climbs another function.",
    ),
    "M-step": (
        r"\theta = \arg\max_\theta Q(\theta, q) \\" + Q,
        "Parameters are fitted to the samples weighted by q, which stays: colours do not change. The bound rises with "
        "Q; the log-likelihood rises at least as much, so the **gap opens** again. Press **E-step**.",
    ),
    "M-step with prior": (
        r"\theta = \arg\max_\theta \{Q(\theta, q) + \log p(\theta)\} \\" + Q,
        "As the M-step, with the log prior added: this is EM for the mode of the posterior (MAP). What never falls is "
        "the log-likelihood **plus** the log prior; the log-likelihood alone may.",
    ),
    "Gibbs sweep": (
        r"\theta \sim p(\theta \mid X, z) \\ z_i \sim \mathrm{Categorical}(r_i) \\" + RULE,
        "Where EM averages and maximises, this draws: parameters from their conjugate posterior given the labels, then "
        "labels given the parameters. The log-likelihood goes up and down; it does not converge to a point.",
    ),
    "moved": (
        r"\log p(X \mid \theta) = Q(\theta, q) + H(q) \\ + \sum_i \mathrm{KL}(q_i \,\|\, p(z_i \mid x_i, \theta))",
        "You moved a component; responsibilities stay until the next E-step. The bound holds at any parameters: it "
        "stays below the log-likelihood.",
    ),
}


def words_of(step: str) -> str:
    """Return Markdown that explains the last step."""
    formula, words = WORDS["moved" if step.endswith("moved") else step]
    return f"### {step[0].upper()}{step[1:]}\n\n$$\n\\begin{{gathered}}\n{formula}\n\\end{{gathered}}\n$$\n\n{words}"


def family_formulas(family: str) -> str:
    """Return Markdown with a family's formulas, from the docstring of ``models.<family>``."""
    formulas = re.sub(r"^::\n\n", "", cleandoc(import_module(f"models.{family}").__doc__ or ""), flags=re.MULTILINE)
    formulas = formulas.replace("::\n", ":\n")
    return f"```text\n{re.sub(ROLE, r'\1', formulas)}\n```"


def equation(hand: ByHand, with_prior: bool = False) -> str:
    """Return Markdown with the log-likelihood as the sum in EM's proof, with the current numbers."""
    last, step = hand.last, len(hand.records) - 1
    data = f"*{hand.dataset.story}*: n = {len(hand.X):,}, D = {hand.X.shape[1]}, K = {hand.parameters.n_components}."
    parts = f"Q **{last.q:.4f}** + H **{last.entropy:.4f}** + gap KL **{last.gap:.4g}**"
    prior = f"; with the log prior {last.log_prior:.4f} it is **{last.log_likelihood + last.log_prior:.4f}**"
    total = f"Log-likelihood **{last.log_likelihood:.4f}** = {parts} nats{prior if with_prior else ''}"
    return f"{data} After step **{step}** ({last.step}):  \n{total}"
