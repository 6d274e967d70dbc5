"""Did the chains mix? First quantities that no relabelling changes, then the parameters of aligned draws.

In this order, because R-hat and ESS of parameters mean nothing before the labels are aligned, and because alignment
can hide that chains are in different places: what labels cannot touch is judged without them. Modes that are more than
relabellings of each other survive any alignment, and are reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import arviz as az
import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import SAMPLE, Arrays, as_tree, n_components, variable_of
from comparisons.alignment.mixing import MAX_RHAT, MIN_ESS, Mode, of_weights, second_mode
from comparisons.alignment.responsibilities import LogJoint

PAIRED_ROWS = 5
MOST_ROWS = 60


@dataclass(frozen=True)
class Quantity:
    """One line of a diagnosis; R-hat and ESS may be NaN where nothing varies."""

    name: str
    mean: float
    sd: float
    rhat: float
    ess: float
    second_mode: Mode | None
    constant: bool

    @property
    def mixed(self) -> bool:
        """Whether R-hat is at most 1.01 and the ESS at least 400, or nothing varies."""
        return self.constant or (self.rhat <= MAX_RHAT and self.ess >= MIN_ESS)


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What `diagnose` found; printing it shows the table.

    Attributes
    ----------
    label_free : tuple of Quantity
        Log-likelihood, entropy of the weights, sorted weights, co-clustering of pairs of samples.
    parameters : tuple of Quantity
        Entries of the aligned variables; empty when the draws were not aligned.
    rule : str or None
        The rule by which they were aligned.
    """

    label_free: tuple[Quantity, ...]
    parameters: tuple[Quantity, ...]
    rule: str | None

    @property
    def second_modes(self) -> tuple[Quantity, ...]:
        """The quantities that have a second mode."""
        return tuple(q for q in (*self.label_free, *self.parameters) if q.second_mode is not None)

    @property
    def status(self) -> str:
        """What follows, in words."""
        sentences = [self._of_chains()]
        if self.second_modes:
            q = max(self.second_modes, key=lambda q: q.second_mode.share if q.second_mode else 0.0)
            assert q.second_mode is not None
            sentences.append(
                f"a second mode that relabelling does not explain: {len(self.second_modes)} quantities have one, "
                f"{q.name} has {q.second_mode.share:.2%} of the draws near {q.second_mode.at:.4g} and not near "
                f"{q.second_mode.main:.4g}"
            )
        return "; ".join(sentences)

    def _of_chains(self) -> str:
        if stuck := [q for q in self.label_free if not q.mixed]:
            return f"the chains have not mixed, and labels are not why ({_worst(stuck)}): draw more or start anew"
        if self.rule is None:
            return "what labels cannot touch has mixed; the draws are not aligned, so parameters are not judged"
        if stuck := [q for q in self.parameters if not q.mixed]:
            return (
                f"what labels cannot touch has mixed, aligned parameters have not ({_worst(stuck)}): try another rule"
            )
        return "the chains have mixed"

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict per quantity, as ``pandas.DataFrame(diagnosis.table)`` takes them."""
        return [
            {"kind": kind, "quantity": q.name, "mean": q.mean, "sd": q.sd, "rhat": q.rhat, "ess": q.ess}
            | {"second_mode": q.second_mode.share if q.second_mode else 0.0}
            for kind, quantities in [("label-free", self.label_free), ("aligned", self.parameters)]
            for q in quantities
        ]

    def __repr__(self) -> str:
        """The table as plain text."""
        heads = [["quantity", "mean", "sd", "R-hat", "ESS", "second mode"]]
        groups = [("label-free", self.label_free), (f"aligned by rule {self.rule}", self.parameters)]
        rows = [
            [q.name, f"{q.mean:.5g}", f"{q.sd:.3g}", f"{q.rhat:.3f}", f"{q.ess:.0f}", _told(q.second_mode)]
            for _, quantities in groups
            for q in _shown(quantities)
        ]
        widths = [max(len(row[j]) for row in heads + rows) for j in range(5)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(row[j].rjust(widths[j]) for j in range(1, 5)), row[5]]).rstrip()
            for row in heads + rows
        ]
        first = 1 + min(len(self.label_free), MOST_ROWS)
        title = f"{groups[1][0]}:" if self.parameters else ""
        left_out = sum(max(0, len(quantities) - MOST_ROWS) for _, quantities in groups)
        more = [f"... and {left_out} more, which mixed better: see table"] if left_out else []
        told = [lines[0], "label-free:", *lines[1:first], *([title] if title else []), *lines[first:], *more]
        return "\n".join([*told, self.status])


def _shown(quantities: tuple[Quantity, ...]) -> list[Quantity]:
    """Return the quantities in their order, of too many those of largest R-hat; one that is unknown comes first."""
    badness = [0.0 if q.constant else q.rhat if np.isfinite(q.rhat) else np.inf for q in quantities]
    return [quantities[i] for i in sorted(np.argsort(np.negative(badness), kind="stable")[:MOST_ROWS])]


def _told(mode: Mode | None) -> str:
    return "" if mode is None else f"{mode.share:.2%} near {mode.at:.4g}, not {mode.main:.4g}"


def _worst(quantities: list[Quantity]) -> str:
    q = max(quantities, key=lambda q: (q.rhat, -q.ess))
    return f"R-hat of {q.name} is {q.rhat:.3f}, ESS {q.ess:.0f}"


def diagnose(
    draws: xr.DataTree | xr.Dataset,
    *,
    log_joint: LogJoint | None = None,
    weights: str | None = "weights",
    var_names: str | Sequence[str] | None = None,
    component: str = "component",
) -> Diagnosis:
    """Judge whether the chains of a mixture mixed: what labels cannot touch first, then aligned parameters.

    Parameters
    ----------
    draws : DataTree or Dataset
        Posterior draws with dims (chain, draw, ...). Their parameters are judged if they come from
        :func:`comparisons.align`.
    log_joint : LogJoint or None
        Makes log-likelihood and co-clustering probabilities from draws; see
        :func:`comparisons.alignment.responsibilities.log_joint`. Without it the log-likelihood is taken from the group
        ``log_likelihood``, if there is one.
    weights : str or None, default "weights"
        The variable that holds the weights; ``None`` if there is none.
    var_names : str or sequence of str, or None
        The aligned variables to judge; ``None``: all real ones with the components' dimension.
    component : str, default "component"
        Name of the components' dimension.

    Raises
    ------
    ValueError
        If a variable is missing or is not finite, there are too few draws, or there is nothing to judge.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from comparisons import diagnose
    >>> weights = np.random.default_rng(0).dirichlet([30, 10], size=(4, 500))
    >>> draws = xr.Dataset({"weights": (("chain", "draw", "component"), weights)})
    >>> diagnose(draws).status
    'what labels cannot touch has mixed; the draws are not aligned, so parameters are not judged'
    """
    tree = as_tree(draws)
    posterior = tree["posterior"].to_dataset()
    n_components(posterior, component)
    if posterior.sizes["chain"] < 2 or posterior.sizes["draw"] < 4:
        sizes = f"{posterior.sizes['chain']} x {posterior.sizes['draw']}"
        raise ValueError(f"draws must be 2 chains of 4 draws or more, to be held against each other, got {sizes}")
    quantities: dict[str, Any] = {}
    if log_joint is not None:
        quantities = _from_log_joint(log_joint, posterior, component)
    elif "log_likelihood" in tree.children:
        quantities["log_likelihood"] = _of_group(tree["log_likelihood"].to_dataset(), posterior)
    if weights is not None:
        variable = variable_of(posterior, weights)
        if set(variable.dims) != {*SAMPLE, component}:
            raise ValueError(f"weights must have the dims chain, draw and {component}, got {variable.dims}")
        quantities |= of_weights(variable.transpose(*SAMPLE, component))
    if not quantities:
        raise ValueError("log_joint or weights must be given: without them there is nothing that labels cannot touch")
    rule = tree["alignment"].attrs["rule"] if "alignment" in tree.children else None
    if var_names is None:
        indexed = [str(n) for n, v in posterior.data_vars.items() if component in v.dims and v.dtype.kind == "f"]
    else:
        names = [var_names] if isinstance(var_names, str) else var_names
        indexed = [str(variable_of(posterior, name).name) for name in names]
    return Diagnosis(_judged(xr.Dataset(quantities)), _judged(posterior[indexed if rule else []]), rule)


def _of_group(group: xr.Dataset, posterior: xr.Dataset) -> tuple[tuple[str, ...], Any]:
    """Return the sum of the group log_likelihood over all its samples."""
    sums = [v.sum([dim for dim in v.dims if dim not in SAMPLE]).transpose(*SAMPLE) for v in group.data_vars.values()]
    if any(total.shape != (posterior.sizes["chain"], posterior.sizes["draw"]) for total in sums):
        sizes = f"{dict(group.sizes)} and {posterior.sizes['chain']} x {posterior.sizes['draw']} in the posterior"
        raise ValueError(f"draws must have the same chains and draws in all groups, got log_likelihood of {sizes}")
    return SAMPLE, sum(total.to_numpy() for total in sums)


def _from_log_joint(log_joint: LogJoint, posterior: xr.Dataset, component: str) -> dict[str, Any]:
    """Return the log-likelihood and, for pairs of a few rows, Σ_k p(z_i = k | x_i, θ) p(z_j = k | x_j, θ)."""
    arrays, sizes = Arrays(posterior, component), (posterior.sizes["chain"], posterior.sizes["draw"])
    rows = np.unique(np.linspace(0, log_joint.n_samples - 1, PAIRED_ROWS).astype(int))
    log_likelihood, done, chosen = np.zeros(arrays.n_draws), 0, []
    for p, log_prob in log_joint.normalised(arrays, arrays.n_draws, posterior.sizes[component]):
        log_likelihood += log_prob.sum(axis=1)
        chosen.append(p[:, :, rows[(rows >= done) & (rows < done + p.shape[2])] - done])
        done += p.shape[2]
    p = np.concatenate(chosen, axis=2)
    together = {
        f"together[{rows[i]}, {rows[j]}]": (SAMPLE, (p[:, :, i] * p[:, :, j]).sum(axis=1).reshape(sizes))
        for i in range(len(rows))
        for j in range(i)
    }
    return {"log_likelihood": (SAMPLE, log_likelihood.reshape(sizes))} | together


def _judged(quantities: xr.Dataset) -> tuple[Quantity, ...]:
    """Return mean, sd, R-hat, bulk ESS and any second mode of every entry."""
    if not quantities.data_vars:
        return ()
    with np.errstate(invalid="ignore", divide="ignore"):
        rhat, ess = az.rhat(quantities), az.ess(quantities, method="bulk")
    found = []
    for name, variable in quantities.data_vars.items():
        values = variable.transpose(*SAMPLE, ...).to_numpy()
        if not np.isfinite(values).all():
            raise ValueError(f"draws must be finite, got NaN or infinity in {name!r}")
        of_entries = values.reshape(-1, *values.shape[2:])
        for index in np.ndindex(values.shape[2:]):
            entry = of_entries[(slice(None), *index)]
            label = f"{name}[{', '.join(map(str, index))}]" if index else str(name)
            convergence = float(rhat[name].to_numpy()[index]), float(ess[name].to_numpy()[index])
            mode = None if str(name).startswith("together") else second_mode(entry)
            constant = bool(np.ptp(entry) == 0)
            found.append(Quantity(label, float(entry.mean()), float(entry.std()), *convergence, mode, constant))
    return tuple(found)
