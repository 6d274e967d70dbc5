"""Undo label switching after sampling: match each draw's components to a reference, never constrain their order.

The posterior of a mixture does not change when components are relabelled, so draws come in any of K! orders. Each
draw is matched to the reference (EM's answer) by the assignment of least total distance, found by the Hungarian
algorithm [1]_, and every variable with a component axis is permuted together.

References
----------
.. [1] Kuhn (1955), Naval Research Logistics Quarterly 2, 83-97; `scipy.optimize.linear_sum_assignment`.
.. [2] Marin, Mengersen & Robert (2005), Handbook of Statistics 25, 459-507 (pivotal reordering).
"""

from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from models.validation import Array


def assign(distances: Array) -> np.ndarray:
    """Return for each draw the order of its components that is nearest to the reference.

    Parameters
    ----------
    distances : ndarray, shape (..., K, K)
        Distance of the draw's component j (first axis) to the reference's component k (second).

    Returns
    -------
    ndarray of int, shape (..., K)
        ``order``, with the draw's component ``order[k]`` in the place of the reference's k.
    """
    *batch, K, _ = distances.shape
    orders = [linear_sum_assignment(matrix.T)[1] for matrix in distances.reshape(-1, K, K)]
    return np.array(orders).reshape(*batch, K)


def align(posterior: xr.Dataset, orders: np.ndarray) -> xr.Dataset:
    """Permute the component axis of every variable of the posterior, draw by draw.

    Parameters
    ----------
    posterior : Dataset
        Variables with dims (chain, draw, ...), some with a dim "component".
    orders : ndarray of int, shape (chain, draw, K)
        What :func:`assign` returned.
    """
    index = xr.DataArray(orders, dims=("chain", "draw", "component"))
    aligned: dict[Any, xr.DataArray] = {}
    for name, variable in posterior.data_vars.items():
        if "component" in variable.dims:
            dims = variable.dims
            variable = variable.drop_vars("component", errors="ignore").isel(component=index).transpose(*dims)
        aligned[name] = variable
    return xr.Dataset(aligned).assign_coords(posterior.coords)
