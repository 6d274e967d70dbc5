"""Undo label switching after sampling: permute the components of each draw, never constrain their order.

Works on draws from any sampler, as a DataTree or Dataset with a dimension for the components. The rules and their
losses are in :mod:`comparisons.alignment.relabelling`.
"""

import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import (
    SAMPLE,
    Arrays,
    as_point,
    as_tree,
    n_components,
    unwrapped,
    variable_of,
)
from comparisons.alignment.permutation import permute
from comparisons.alignment.relabelling import (
    Relabelling,
    assign,
    commonest,
    log_mean,
    pivot_costs,
    pivot_scale,
    relabel,
    total,
)
from comparisons.alignment.responsibilities import (
    LogJoint,
    Rows,
    RowsOfArray,
    RowsOfLabels,
    RowsOfLogJoint,
    most_probable,
)
from em.status import NotConvergedWarning
from models.shown import shown
from models.validation import Array, count_at_least_one, real_numbers

RULES = ("pivot", "ecr", "stephens")
SCALE_DRAWS = 10_000  # enough for standard deviations
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
    """Permute the components of each draw so that the same component has the same place in all draws.

    Every variable with the dimension ``component`` is permuted together, wherever it has that dimension, and so is a
    second one called ``component_bis`` (of a matrix from component to component).

    Parameters
    ----------
    draws : DataTree or Dataset
        Posterior draws with dims (chain, draw, ...), such as ArviZ keeps; a Dataset is taken for the group posterior.
    rule : {"pivot", "ecr", "stephens"}, default "pivot"
        "pivot" puts each component where the reference's most similar one is, in units of the posterior's spread.
        "ecr" makes the labels z of the samples agree (Papastamoulis & Iliopoulos 2010), "stephens" the
        responsibilities, by Kullback-Leibler divergence (Stephens 2000).
    reference : parameters, estimator, mapping or Dataset of arrays; ndarray of labels or responsibilities; or None
        For "pivot", parameters (required), such as EM's MAP or one draw, ``posterior.isel(chain=0, draw=0)``. For
        "ecr" the pivot z*, given as labels (n,) or by parameters with ``log_joint``; without one it is found by
        iteration. For "stephens", responsibilities (n, K) or parameters, where the iteration starts first and whose
        labels the answer takes.
    log_joint : LogJoint or None
        For "ecr" and "stephens": makes responsibilities from draws, block by block;
        see :func:`comparisons.alignment.responsibilities.log_joint`.
    responsibilities : array_like, DataArray or str, or None
        Instead of ``log_joint``: responsibilities (chain, draw, n, K), or the variable in the draws that holds them.
    labels : str or sequence of str, or None
        Variables whose values are components; they are relabelled. None: z, if the draws have integers of that name.
        "ecr" takes the first one for its labels unless it is given responsibilities, whose most probable component is
        taken then.
    component : str, default "component"
        Name of the dimension; see :func:`comparisons.name_components` where there are several.
    n_init : int, default 5
        Number of draws that an iteration starts from, spread evenly.

    Returns
    -------
    DataTree
        The draws with a group ``alignment``: ``order`` (chain, draw, component), the component of the original draw
        that now has each place, the ``loss`` of each draw, and the attributes rule, reference, n_iter, converged.
        The input is left as it was.

    Raises
    ------
    ValueError
        If a variable is missing, has NaN, or does not fit the others or the reference.

    Warns
    -----
    NotConvergedWarning
        If the iteration of "ecr" or "stephens" did not end.
    UserWarning
        If a dimension with a name by ArviZ is as long as ``component``, and may count the components too.

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
    tree = as_tree(draws)
    posterior = tree["posterior"].to_dataset()
    K, kind = n_components(posterior, component), "none" if reference is None else type(reference).__name__
    reference = unwrapped(reference)
    count_at_least_one("n_init", n_init)
    if labels is None:
        labels = "z" if "z" in posterior and posterior["z"].dtype.kind in "iu" else ()
    labels = (labels,) if isinstance(labels, str) else tuple(labels)
    for name in labels:
        variable_of(posterior, name)
    _check_groups(tree, component, K, labels)
    kept: dict[str, xr.Dataset] = {}
    if rule == "pivot":
        found, kept = _by_pivot(posterior, reference, component)
    else:
        source = _source(posterior, component, log_joint, responsibilities, labels if rule == "ecr" else ())
        found = _by_rows(source, rule, reference, n_init)
    sizes = posterior.sizes["chain"], posterior.sizes["draw"]
    alignment = xr.Dataset(
        {
            "order": ((*SAMPLE, component), found.orders.reshape(*sizes, K)),
            "loss": (SAMPLE, found.losses.reshape(sizes)),
        },
        coords={dim: posterior.coords[dim] for dim in (*SAMPLE, component) if dim in posterior.coords},
        attrs={
            "rule": rule,
            "reference": kind,
            "n_iter": found.n_iter,
            "converged": int(found.converged),
        },
    )
    groups = {path.strip("/") or "/": group for path, group in tree.to_dict().items()}
    groups = {path: group for path, group in groups.items() if not path.startswith("alignment")}  # of an earlier call
    for group in SAME_DRAWS:
        if group in groups:
            groups[group] = permute(groups[group], alignment["order"], labels)
    if not found.converged:
        warnings.warn(
            f"rule {rule!r} still found gains after {found.n_iter} iterations", NotConvergedWarning, stacklevel=2
        )
    return xr.DataTree.from_dict(groups | {"alignment": alignment} | kept, name=tree.name)


def _check_groups(tree: xr.DataTree, component: str, K: int, labels: Iterable[str]) -> None:
    """Check labels wherever they are permuted, and warn of dimensions that ArviZ named and that may be components."""
    for group in SAME_DRAWS:
        if group in tree.children:
            for name in labels:
                if name in tree[group].data_vars:
                    _check_labels(tree[group][name], K)
    sizes = tree["posterior"].to_dataset().sizes
    if left := [dim for dim, size in sizes.items() if str(dim).endswith("_dim_0") and size == K and dim != component]:
        told = f"dims {', '.join(map(str, left))} are as long as {component} and stay as they are"
        warnings.warn(f"{told}; if they count components, call comparisons.name_components first", stacklevel=3)


def _check_labels(z: xr.DataArray, K: int) -> None:
    values = real_numbers(str(z.name), z.to_numpy())
    if not np.isin(values, np.arange(K)).all():
        found = f"from {values.min()} to {values.max()}"
        hint = ": subtract 1" if (values.min(), values.max()) == (1, K) else ""
        wanted = f"labels must be variables with values 0 to {K - 1}, the components"
        raise ValueError(f"{wanted}, got {z.name!r} {found}{hint}")


# Pivot ----------------------------------------------------------------------------------------------------------------


def _by_pivot(posterior: xr.Dataset, reference: Any, component: str) -> tuple[Relabelling, dict[str, xr.Dataset]]:
    """Return the orders, and reference and scales to keep."""
    if reference is None:
        raise ValueError("reference must be given for rule 'pivot': EM's parameters, or one draw of the posterior")
    point = as_point(reference, posterior, component)
    names = _compared(point, component)
    draws = _entries(posterior, names, component)
    pivot = _entries(point.expand_dims(SAMPLE), names, component)[0]
    scale = pivot_scale(draws[:: max(1, len(draws) // SCALE_DRAWS)], pivot)
    costs = pivot_costs(draws, pivot, scale)
    orders = assign(costs)
    kept, done = {}, 0
    for name in names:
        like = point[name].isel({component: 0}, drop=True)
        kept[name] = (like.dims, scale[done : done + like.size].reshape(like.shape))
        done += like.size
    groups = {"alignment/reference": point, "alignment/scale": xr.Dataset(kept)}
    return Relabelling(orders, total(costs, orders), 1, True), groups


def order_of(parameters: Any, aligned: xr.DataTree) -> np.ndarray:
    """Return the order (K,) that puts the components of parameters in the places that they have in aligned draws.

    It is the map of rule "pivot", with the same reference and scales, applied to a single point.

    Parameters
    ----------
    parameters : parameters, estimator, mapping or Dataset of arrays
        What is to be matched.
    aligned : DataTree
        What :func:`align` returned for rule "pivot".
    """
    if "alignment" not in aligned.children or aligned["alignment"].attrs["rule"] != "pivot":
        raise ValueError("aligned must come from align with rule 'pivot'")
    component = str(aligned["alignment"]["order"].dims[-1])
    reference, scales = (aligned[f"alignment/{name}"].to_dataset(inherit=False) for name in ("reference", "scale"))
    names = _compared(reference, component)
    point = as_point(unwrapped(parameters), aligned["posterior"].to_dataset(), component, "parameters")
    point, reference = (_entries(p.expand_dims(SAMPLE), names, component) for p in (point, reference))
    scale = np.concatenate([scales[name].to_numpy().ravel() for name in names])
    return assign(pivot_costs(point, reference[0], scale)[0])


def _compared(point: xr.Dataset, component: str) -> list[str]:
    """Return the variables that tell components apart: those with one dimension for them."""
    twice = f"{component}_bis"
    names = [str(name) for name, v in point.data_vars.items() if component in v.dims and twice not in v.dims]
    if not names:
        raise ValueError(f"reference must hold a variable with the dimension {component}, got {list(point.data_vars)}")
    return names


def _entries(draws: xr.Dataset, names: list[str], component: str) -> Array:
    """Return all entries of each component side by side, shape (S, K, E)."""
    arrays = Arrays(draws, component)
    return np.concatenate([arrays[name].reshape(*arrays[name].shape[:2], -1) for name in names], axis=2)


# ECR and Stephens -----------------------------------------------------------------------------------------------------


def _source(
    posterior: xr.Dataset, component: str, log_joint: LogJoint | None, responsibilities: Any, labels: Sequence[str]
) -> Rows:
    """Return where responsibilities come from, or, without any, labels."""
    if (log_joint is None) == (responsibilities is None) and not (labels and log_joint is None):
        wanted = "one of log_joint and responsibilities must be given"
        raise ValueError(f"{wanted}, or labels for rule 'ecr'; got {'neither' if log_joint is None else 'both'}")
    K, sizes = posterior.sizes[component], (posterior.sizes["chain"], posterior.sizes["draw"])
    if log_joint is not None:
        return RowsOfLogJoint(log_joint, posterior, component)
    if responsibilities is not None:
        if isinstance(responsibilities, str):
            responsibilities = variable_of(posterior, responsibilities)
        return RowsOfArray(responsibilities, sizes, K, component)
    return RowsOfLabels(posterior[labels[0]], K)


def _by_rows(source: Rows, rule: str, reference: Any, n_init: int) -> Relabelling:
    """Run ECR or Stephens' iteration from the reference and from some draws; ECR with a reference takes one step."""
    S = source.n_draws
    starts: list[Any] = [int(s) for s in np.unique(np.linspace(0, S - 1, n_init).astype(int))]
    if rule == "stephens":
        first = [] if reference is None else [source.template(reference)]
        return relabel(source.blocks, log_mean, [*first, *starts])
    blocks = partial(most_probable, source.blocks)
    if reference is None:
        return relabel(blocks, commonest, starts)
    return relabel(blocks, commonest, [source.template(reference)], max_iter=1)
