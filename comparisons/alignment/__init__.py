"""Undo label switching after sampling: permute the components of each draw.

The draws may come from any sampler, as a DataTree or Dataset with a dimension for the components. Sampling itself must
not constrain the order of components. :mod:`comparisons.alignment.relabelling` has the rules and their losses.
"""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import SAMPLE, Arrays, as_point, as_tree, permute, posterior_of, variable_of
from comparisons.alignment.relabelling import Blocks, Relabelling, commonest, log_mean, pivot, pivot_scale, relabel
from comparisons.alignment.responsibilities import LogJoint, most_probable, of_array, of_labels, template
from em.status import NotConvergedWarning
from models.shown import counted, shown
from models.validation import Array, count_at_least_one

RULES = ("pivot", "ecr", "stephens")
SCALE_DRAWS = 10_000  # from which standard deviations are estimated
SAME_DRAWS = ("posterior", "posterior_predictive", "predictions", "log_likelihood")


def align(
    draws: xr.DataTree | xr.Dataset,
    rule: str = "pivot",
    *,
    reference: Any = None,
    log_joint: LogJoint | None = None,
    responsibilities: Any = None,
    labels: str | Sequence[str] | None = None,
    component: str = "component",
    n_init: int = 5,
) -> xr.DataTree:
    """Permute the components of each draw so that a component has the same index in all draws.

    All variables with the dimension ``component`` are permuted alike. A second dimension called ``component_bis``, of a
    matrix from component to component, is permuted with it.

    Parameters
    ----------
    draws : DataTree or Dataset
        Posterior draws with dims (chain, draw, ...), as ArviZ stores them; a Dataset stands for the group posterior.
    rule : {"pivot", "ecr", "stephens"}, default "pivot"
        "pivot" matches components with the most similar ones of a reference, in units of the posterior's spread. "ecr"
        makes the labels z of the samples agree (Papastamoulis & Iliopoulos 2010). "stephens" makes their
        responsibilities agree, by Kullback-Leibler divergence (Stephens 2000).
    reference : parameters, estimator, mapping or Dataset of arrays; ndarray of labels or responsibilities; or None
        For "pivot", parameters (required), such as EM's MAP or one draw, ``posterior.isel(chain=0, draw=0)``. For
        "ecr", the pivot z*: labels (n,), or parameters together with ``log_joint``; None finds it by iteration. For
        "stephens", responsibilities (n, K) or parameters: the first start of the iteration, whose order of components
        the result takes.
    log_joint : LogJoint or None
        For "ecr" and "stephens": computes responsibilities of draws, block by block;
        see :func:`comparisons.alignment.responsibilities.log_joint`.
    responsibilities : array_like, DataArray or str, or None
        Instead of ``log_joint``: responsibilities (chain, draw, n, K), or the name of the variable that holds them.
    labels : str or sequence of str, or None
        Variables whose values are numbers of components; they are relabelled too. None: z, if the draws have integers
        of that name. Without responsibilities, "ecr" uses the first of these variables as labels; with them, the most
        probable components.
    component : str, default "component"
        Name of the dimension; see :func:`comparisons.name_components` if it has several names.
    n_init : int, default 5
        Number of draws from which the iteration starts, spread evenly.

    Returns
    -------
    DataTree
        A copy of the draws with a group ``alignment``. It holds ``order`` (chain, draw, component), the original index
        of the component that now has each index; the ``loss`` of each draw; and the attributes rule, reference, n_iter
        and converged.

    Raises
    ------
    ValueError
        If a variable is missing, has NaN, or does not fit the others or the reference.

    Warns
    -----
    NotConvergedWarning
        If the iteration of "ecr" or "stephens" did not converge.
    UserWarning
        If ArviZ named a dimension that is as long as ``component`` and may count components too.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from comparisons import align
    >>> rates = np.array([[[1.1, 8.0], [7.0, 0.9], [1.0, 7.5]]])
    >>> draws = xr.Dataset({"rates": (("chain", "draw", "component"), rates)})
    >>> aligned = align(draws, reference={"rates": [1.0, 8.0]})
    >>> aligned["posterior"]["rates"].values[0].tolist()
    [[1.1, 8.0], [0.9, 7.0], [1.0, 7.5]]
    >>> aligned["alignment"]["order"].values[0].tolist()
    [[0, 1], [1, 0], [0, 1]]
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {shown(rule)}")
    count_at_least_one("n_init", n_init)
    tree = as_tree(draws)
    posterior = posterior_of(tree, component)
    kind = "none" if reference is None else type(reference).__name__
    labels = _labels(posterior, labels)
    _warn_of_names_by_arviz(posterior, component)
    if isinstance(reference, xr.DataTree):  # a single draw
        reference = as_tree(reference)["posterior"].to_dataset()
    kept: dict[str, xr.Dataset] = {}
    if rule == "pivot":
        best, kept = _by_pivot(posterior, reference, component)
    else:
        best = _by_rows(Arrays(posterior, component), rule, reference, log_joint, responsibilities, labels, n_init)
    if not best.converged:
        message = f"rule {rule!r} still found gains after {counted(best.n_iter, 'iteration')}"
        warnings.warn(message, NotConvergedWarning, stacklevel=2)
    sizes = [posterior.sizes[dim] for dim in SAMPLE]
    order, loss = best.orders.reshape(*sizes, -1), best.losses.reshape(sizes)
    alignment = xr.Dataset(
        {"order": ((*SAMPLE, component), order), "loss": (SAMPLE, loss)},
        coords={dim: posterior.coords[dim] for dim in (*SAMPLE, component) if dim in posterior.coords},
        attrs={"rule": rule, "reference": kind, "n_iter": best.n_iter, "converged": int(best.converged)},
    )
    groups = tree.drop_nodes("alignment", errors="ignore").to_dict()  # drops that of an earlier call
    for path in [f"/{name}" for name in SAME_DRAWS if name in tree.children]:
        groups[path] = permute(groups[path], alignment["order"], labels)
    return xr.DataTree.from_dict(groups | {"/alignment": alignment} | kept, name=tree.name)


def _labels(posterior: xr.Dataset, labels: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of label variables, checked; if none are given, z if it holds integers."""
    if labels is None:
        labels = "z" if "z" in posterior and posterior["z"].dtype.kind in "iu" else ()
    labels = (labels,) if isinstance(labels, str) else tuple(labels)
    return tuple(str(variable_of(posterior, name).name) for name in labels)


def _warn_of_names_by_arviz(posterior: xr.Dataset, component: str) -> None:
    """Warn of dimensions that ArviZ named and that may count components."""
    by_arviz = [str(dim) for dim in posterior.dims if str(dim).endswith("_dim_0") and dim != component]
    if left := [dim for dim in by_arviz if posterior.sizes[dim] == posterior.sizes[component]]:
        message = f"dims {', '.join(left)} are as long as {component} and stay as they are"
        warnings.warn(f"{message}; if they count components, call comparisons.name_components first", stacklevel=3)


# Pivot ----------------------------------------------------------------------------------------------------------------


def _by_pivot(posterior: xr.Dataset, reference: Any, component: str) -> tuple[Relabelling, dict[str, xr.Dataset]]:
    """Align by rule "pivot"; return the orders, and the reference and scales that the result stores."""
    if reference is None:
        raise ValueError("reference must be given for rule 'pivot': EM's parameters, or one draw of the posterior")
    point = as_point(reference, posterior, component)
    draws, centre = _entries(posterior, point, component), _entries(point.expand_dims(SAMPLE), point, component)[0]
    scale = pivot_scale(draws[:: max(1, len(draws) // SCALE_DRAWS)], centre)
    kept = {"/alignment/reference": point, "/alignment/scale": xr.Dataset({"scale": ("entry", scale)})}
    return pivot(draws, centre, scale), kept


def order_of(parameters: Any, aligned: xr.DataTree) -> np.ndarray:
    """Return the order (K,) that gives the components of parameters the indices that they have in aligned draws.

    Rule "pivot" is applied to these parameters as to a draw, with the stored reference and scales.

    Parameters
    ----------
    parameters : parameters, estimator, mapping or Dataset of arrays
        The parameters to match.
    aligned : DataTree
        The result of :func:`align` by rule "pivot".
    """
    component = str(aligned["alignment"]["order"].dims[-1])
    reference = aligned["alignment/reference"].to_dataset(inherit=False)
    point = as_point(parameters, aligned["posterior"].to_dataset(), component, "parameters")
    entries, centre = (_entries(p.expand_dims(SAMPLE), reference, component) for p in (point, reference))
    order: np.ndarray = pivot(entries, centre[0], aligned["alignment/scale"]["scale"].to_numpy()).orders[0]
    return order


def _entries(draws: xr.Dataset, reference: xr.Dataset, component: str) -> Array:
    """Return the E entries of each component, shape (S, K, E), of the reference's variables.

    Variables from component to component, with two such dimensions, are left out.
    """
    twice = f"{component}_bis"
    names = [str(name) for name, v in reference.data_vars.items() if component in v.dims and twice not in v.dims]
    if not names:
        held = list(reference.data_vars)
        raise ValueError(f"reference must hold a variable with the dimension {component}, got {held}")
    arrays = Arrays(draws, component)
    return np.concatenate([arrays[name].reshape(*arrays[name].shape[:2], -1) for name in names], axis=2)


# ECR and Stephens -----------------------------------------------------------------------------------------------------


def _by_rows(
    draws: Arrays, rule: str, reference: Any, log_joint: Any, responsibilities: Any, labels: Sequence[str], n_init: int
) -> Relabelling:
    """Run the iteration of ECR or Stephens from the reference and from some draws; ECR with a reference is one step."""
    by_labels = rule == "ecr" and labels and log_joint is None
    if (log_joint is None) == (responsibilities is None) and not by_labels:
        wanted = "one of log_joint and responsibilities must be given"
        raise ValueError(f"{wanted}, or labels for rule 'ecr'; got {'neither' if log_joint is None else 'both'}")
    blocks: Blocks
    if log_joint is not None:
        blocks, n = partial(log_joint.responsibilities, draws), log_joint.n_samples
    elif responsibilities is not None:
        if isinstance(responsibilities, str):
            responsibilities = variable_of(draws.posterior, responsibilities)
        blocks, n = of_array(responsibilities, draws)
    else:
        if isinstance(reference, Mapping) and labels[0] in reference:
            reference = reference[labels[0]]
        blocks, n = of_labels(draws.posterior[labels[0]], draws.n_components)
    given = [] if reference is None else [template(reference, n, draws, log_joint)]
    starts = [int(s) for s in np.unique(np.linspace(0, draws.n_draws - 1, n_init).astype(int))]
    if rule == "stephens":
        return relabel(blocks, log_mean, [*given, *starts])
    blocks = partial(most_probable, blocks)
    return relabel(blocks, commonest, given, max_iter=1) if given else relabel(blocks, commonest, starts)
