"""List the numbers of a state as rows of tables."""

from typing import Any

import numpy as np

from comparisons.explorer.steps import ByHand

MOST_ROWS = 200  # of one array
Rows = list[dict[str, Any]]


def decomposition(hand: ByHand, with_prior: bool = False) -> Rows:
    """Return the parts of the log-likelihood in nats, before and after the last step, and their changes."""
    old, new = hand.records[max(len(hand.records) - 2, 0)], hand.last
    parts = {
        "log-likelihood": (old.log_likelihood, new.log_likelihood),
        "Q": (old.q, new.q),
        "entropy H": (old.entropy, new.entropy),
        "bound Q + H": (old.elbo, new.elbo),
        "gap KL": (old.gap, new.gap),
    }
    if with_prior:
        parts["log prior"] = old.log_prior, new.log_prior
        parts["log-likelihood + log prior"] = (old.log_likelihood + old.log_prior, new.log_likelihood + new.log_prior)
    return [
        {"nats": name, "before": f"{a:.4f}", "now": f"{b:.4f}", "change": "" if a == b else f"{b - a:+.4f}"}
        for name, (a, b) in parts.items()
    ]


def parameter_rows(hand: ByHand) -> Rows:
    """Return the distinct numbers of θ, at most 200 of each array, and their changes in the last step."""
    labels, rows = hand.family.labels(hand.dataset.feature_names), []
    for quantity in hand.parameters.quantities:
        now = getattr(hand.parameters, quantity.name)
        before = now if hand.before is None else getattr(hand.before, quantity.name)
        for place in quantity.support.distinct_entries(now.shape)[:MOST_ROWS]:
            change = now[place] - before[place]
            shown = f"{change:+.2g}" if change else ""
            rows.append({"parameter": quantity.entry(place, labels), "now": f"{now[place]:.4g}", "change": shown})
    return rows


def sample_rows(hand: ByHand) -> Rows:
    """Return one row for each sample."""
    names = hand.dataset.feature_names
    return [{"sample": i, **dict(zip(names, x, strict=True))} for i, x in enumerate(hand.X.round(6).tolist())]


def bayes_rule(hand: ByHand, sample: int) -> Rows:
    """Return Bayes' rule for one sample, a row for each component: weight, log density, responsibility, current q."""
    functions, of_row = hand.family.functions, np.zeros(len(hand.X), dtype=bool)
    of_row[sample] = True
    of_data, x = hand.family.of_rows(of_row).of_data, hand.X[of_row]
    (log_prob,) = functions.component_log_prob(x, hand.parameters, **of_data)
    ((r,), _), q = functions.e_step(x, hand.parameters, **of_data), hand.responsibilities[sample]
    columns = {"π": hand.parameters.weights, "log density": log_prob, "r, from θ": r, "q now": q}
    cells = [{name: f"{numbers[k]:.4g}" for name, numbers in columns.items()} for k in range(len(q))]
    return [{"component": k, **row} for k, row in enumerate(cells)]


def as_markdown(rows: Rows) -> str:
    """Return rows as a table in Markdown, with the first column flush left and all others flush right."""
    columns = list(rows[0])
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *([str(row[name]) for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
