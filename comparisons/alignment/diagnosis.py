"""Diagnose whether the chains mixed: first label-free quantities, then the parameters of aligned draws.

No relabelling changes a label-free quantity, such as the log-likelihood. They are judged first for two reasons: R-hat
and ESS of parameters mean nothing before the labels are aligned, and alignment can hide that chains explored different
modes. Second modes that are no relabellings of the first are reported; they remain after any alignment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import SAMPLE, Arrays, as_tree, posterior_of, variable_of
from comparisons.alignment.mixing import MAX_RHAT, MIN_ESS, Mode, convergence, of_weights, second_mode
from comparisons.alignment.responsibilities import LogJoint
from models.labels import plain
from models.tables import Tabular, table_lines
from models.validation import Array

PAIRED_ROWS = 5
MOST_ROWS = 60


@dataclass(frozen=True)
class Quantity:
    """One line of a diagnosis; R-hat and ESS may be NaN if the draws do not vary."""

    name: str
    mean: float
    sd: float
    rhat: float
    ess: float
    second_mode: Mode | None
    constant: bool

    @property
    def mixed(self) -> bool:
        """Whether R-hat is at most 1.01 and the ESS at least 400, or the draws do not vary."""
        return self.constant or (self.rhat <= MAX_RHAT and self.ess >= MIN_ESS)


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis(Tabular):
    """The result of `diagnose`; printing it shows the table.

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
        """The conclusion, in a sentence."""
        modes = {q.name: q.second_mode for q in self.second_modes if q.second_mode is not None}
        if not modes:
            return self._of_chains()
        name, mode = max(modes.items(), key=lambda item: item[1].share)
        many = f"a second mode that relabelling does not explain: {len(modes)} quantities have one, {name} has"
        where = f"{mode.share:.2%} of the draws near {mode.at:.4g} and not near {mode.main:.4g}"
        return f"{self._of_chains()}; {many} {where}"

    def _of_chains(self) -> str:
        if stuck := [q for q in self.label_free if not q.mixed]:
            reason = f"the chains have not mixed, and label switching is not the reason ({_worst(stuck)})"
            return f"{reason}: draw more, or start the chains elsewhere"
        if self.rule is None:
            return "label-free quantities have mixed; the draws are not aligned, so parameters are not judged"
        if stuck := [q for q in self.parameters if not q.mixed]:
            return f"label-free quantities have mixed, aligned parameters have not ({_worst(stuck)}): try another rule"
        return "the chains have mixed"

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict per quantity; ``to_frame()`` gives them as a pandas frame."""
        return [
            {"kind": kind, "quantity": q.name, "mean": q.mean, "sd": q.sd, "rhat": q.rhat, "ess": q.ess}
            | {"second_mode": q.second_mode.share if q.second_mode else 0.0}
            for kind, quantities in [("label-free", self.label_free), ("aligned", self.parameters)]
            for q in quantities
        ]

    def __repr__(self) -> str:
        """The table as plain text."""
        label_free, parameters = _shown(self.label_free), _shown(self.parameters)
        heads = ["quantity", "mean", "sd", "R-hat", "ESS", "second mode"]
        head, *lines = table_lines([heads, *(_cells(q) for q in (*label_free, *parameters))])
        title = [f"aligned by rule {self.rule}:"] if parameters else []
        left_out = len(self.label_free) + len(self.parameters) - len(lines)
        more = [f"... and {left_out} more, which mixed better: see table"] if left_out else []
        first = len(label_free)
        return "\n".join([head, "label-free:", *lines[:first], *title, *lines[first:], *more, self.status])


def _shown(quantities: tuple[Quantity, ...]) -> list[Quantity]:
    """Return the quantities in their order; if there are too many, those of largest R-hat, where NaN is the largest."""
    badness = [0.0 if q.constant else q.rhat if np.isfinite(q.rhat) else np.inf for q in quantities]
    return [quantities[i] for i in sorted(np.argsort(np.negative(badness), kind="stable")[:MOST_ROWS])]


def _cells(q: Quantity) -> list[str]:
    numbers = f"{q.mean:.5g}", f"{q.sd:.3g}", f"{q.rhat:.3f}", f"{q.ess:.0f}"
    return [q.name, *numbers, str(q.second_mode or "")]


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
    """Judge whether the chains of a mixture mixed: label-free quantities first, then aligned parameters.

    Parameters
    ----------
    draws : DataTree or Dataset
        Posterior draws with dims (chain, draw, ...). Their parameters are judged only if :func:`comparisons.align`
        returned the draws.
    log_joint : LogJoint or None
        Computes log-likelihood and co-clustering probabilities of draws; see
        :func:`comparisons.alignment.responsibilities.log_joint`. None takes the log-likelihood from the group
        ``log_likelihood``, if there is one.
    weights : str or None, default "weights"
        Name of the variable of the weights; ``None`` if there is none.
    var_names : str or sequence of str, or None
        The aligned variables to judge; ``None`` takes all real variables with the components' dimension.
    component : str, default "component"
        Name of the components' dimension.

    Raises
    ------
    ValueError
        If a variable is missing or not finite, there are too few draws, or there is no label-free quantity.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from comparisons import diagnose
    >>> weights = np.random.default_rng(0).dirichlet([30, 10], size=(4, 500))
    >>> draws = xr.Dataset({"weights": (("chain", "draw", "component"), weights)})
    >>> diagnose(draws).status
    'label-free quantities have mixed; the draws are not aligned, so parameters are not judged'
    """
    tree = as_tree(draws)
    posterior = posterior_of(tree, component)
    if posterior.sizes["chain"] < 2 or posterior.sizes["draw"] < 4:
        sizes = f"{posterior.sizes['chain']} x {posterior.sizes['draw']}"
        raise ValueError(f"draws must be at least 2 chains of 4 draws, to compare chains with each other, got {sizes}")
    quantities: dict[str, Array] = {}
    if log_joint is not None:
        quantities = _from_log_joint(log_joint, Arrays(posterior, component))
    elif "log_likelihood" in tree.children:
        quantities["log_likelihood"] = _of_group(tree["log_likelihood"].to_dataset(), posterior)
    if weights is not None:
        variable = variable_of(posterior, weights)
        if set(variable.dims) != {*SAMPLE, component}:
            raise ValueError(f"weights must have the dims chain, draw and {component}, got {variable.dims}")
        quantities |= of_weights(variable.transpose(*SAMPLE, component).to_numpy())
    if not quantities:
        raise ValueError("log_joint or weights must be given: without them there is no label-free quantity to judge")
    rule = tree["alignment"].attrs["rule"] if "alignment" in tree.children else None
    if var_names is None:
        var_names = [str(n) for n, v in posterior.data_vars.items() if component in v.dims and v.dtype.kind == "f"]
    names = [var_names] if isinstance(var_names, str) else var_names
    aligned = {name: variable_of(posterior, name).transpose(*SAMPLE, ...) for name in names}
    return Diagnosis(_judged(quantities), _judged(aligned) if rule else (), rule)


def _of_group(group: xr.Dataset, posterior: xr.Dataset) -> Array:
    """Return the group log_likelihood summed over samples, shape (chain, draw)."""
    totals = group.sum([dim for dim in group.dims if dim not in SAMPLE])
    total = sum(variable.transpose(*SAMPLE).to_numpy() for variable in totals.data_vars.values())
    if np.shape(total) != (sizes := (posterior.sizes["chain"], posterior.sizes["draw"])):
        given = f"{dict(group.sizes)} and {sizes[0]} x {sizes[1]} in the posterior"
        raise ValueError(f"draws must have the same chains and draws in all groups, got log_likelihood of {given}")
    return np.asarray(total)


def _from_log_joint(log_joint: LogJoint, draws: Arrays) -> dict[str, Array]:
    """Return the log-likelihood and, for pairs of a few rows, Σ_k p(z_i = k | x_i, θ) p(z_j = k | x_j, θ)."""
    rows = np.unique(np.linspace(0, log_joint.n_samples - 1, PAIRED_ROWS).astype(int))
    p, log_likelihood = log_joint.at(draws, rows)
    quantities = {"log_likelihood": log_likelihood.reshape(draws.sizes)}
    for i, j in zip(*np.tril_indices(len(rows), -1), strict=True):
        quantities[f"together[{rows[i]}, {rows[j]}]"] = (p[:, :, i] * p[:, :, j]).sum(axis=1).reshape(draws.sizes)
    return quantities


def _judged(quantities: Mapping[str, Array | xr.DataArray]) -> tuple[Quantity, ...]:
    """Return mean, sd, R-hat, bulk ESS and any second mode of every entry of draws (chain, draw, ...)."""
    judged = []
    for name, draws in quantities.items():
        values, places = np.asarray(draws), _places(draws)
        if not np.isfinite(values).all():
            raise ValueError(f"draws must be finite, got NaN or infinity in {name!r}")
        rhat, ess = convergence(values)
        for index in np.ndindex(values.shape[2:]):
            entry = values[(..., *index)].ravel()
            called = ", ".join(axis[i] for axis, i in zip(places, index, strict=True))
            label = f"{name}[{called}]" if index else name
            mode = None if name.startswith("together") else second_mode(entry)
            mean, sd, varies = float(entry.mean()), float(entry.std()), bool(np.ptp(entry) > 0)
            judged.append(Quantity(label, mean, sd, float(rhat[index]), float(ess[index]), mode, not varies))
    return tuple(judged)


def _places(draws: Array | xr.DataArray) -> list[list[str]]:
    """Return the labels of each axis after the draws: its coordinates if they are text, else numbers."""
    if not isinstance(draws, xr.DataArray):
        return [list(map(str, range(length))) for length in draws.shape[2:]]
    coords = (draws[dim].to_numpy() for dim in draws.dims[2:])  # xarray numbers a dim without coordinates
    return [list(map(plain, values if values.dtype.kind in "OUT" else range(len(values)))) for values in coords]
