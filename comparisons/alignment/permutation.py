"""Put the components of each draw in another order, wherever a variable has them."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import SAMPLE


def permute(draws: xr.Dataset, order: xr.DataArray, labels: Iterable[str] = ()) -> xr.Dataset:
    """Return the draws with the components of each draw in another order.

    Parameters
    ----------
    draws : Dataset
        Variables with dims (chain, draw, ...); those without a dimension for the components stay as they are.
    order : DataArray of int, dims (chain, draw, component)
        The component of the draw that goes to each place; its last dimension is the one to permute.
    labels : iterable of str
        Variables whose values are components.
    """
    component = order.dims[-1]
    places = np.argsort(order.to_numpy(), axis=-1)
    changed = {}
    for name, variable in draws.data_vars.items():
        indexed = [dim for dim in (component, f"{component}_bis") if dim in variable.dims]
        if not indexed and name not in labels:
            continue
        _check_same_draws(variable, order)
        moved = variable
        for dim in indexed:
            moved = moved.transpose(*SAMPLE, ..., dim)
            index = _spread(order.to_numpy(), moved.ndim)
            moved = moved.copy(data=np.take_along_axis(moved.to_numpy(), index, axis=-1))
        if name in labels:
            moved = moved.transpose(*SAMPLE, ...)
            z = moved.to_numpy()
            flat = np.take_along_axis(places, z.reshape(*z.shape[:2], -1).astype(int), axis=-1)
            moved = moved.copy(data=flat.reshape(z.shape).astype(z.dtype))
        changed[name] = moved.transpose(*variable.dims)
    return draws.assign(changed)


def _spread(order: np.ndarray, ndim: int) -> np.ndarray:
    """Return orders (chain, draw, K) with axes of length one in between."""
    return order.reshape(*order.shape[:2], *(1,) * (ndim - 3), order.shape[2])


def _check_same_draws(variable: xr.DataArray, order: xr.DataArray) -> None:
    for dim in order.dims:
        if variable.sizes.get(dim, order.sizes[dim]) != order.sizes[dim]:
            sizes = f"{variable.sizes[dim]} in {variable.name!r} and {order.sizes[dim]} in the posterior"
            raise ValueError(f"draws must have the same {dim} in all groups, got {sizes}")
        if dim in variable.coords and dim in order.coords and not variable[dim].equals(order[dim]):
            raise ValueError(f"draws must have the same {dim} in all groups, got other values in {variable.name!r}")
