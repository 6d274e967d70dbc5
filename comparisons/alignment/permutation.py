"""Permute the components of each draw, in all variables that have a dimension for them."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import SAMPLE


def permute(draws: xr.Dataset, order: xr.DataArray, labels: Iterable[str] = ()) -> xr.Dataset:
    """Return the draws with the components of each draw in another order.

    Parameters
    ----------
    draws : Dataset
        Variables with dims (chain, draw, ...); those without a dimension for the components are not changed.
    order : DataArray of int, dims (chain, draw, component)
        ``order[..., k]`` is the old index of the component that gets index k. The last dimension is permuted.
    labels : iterable of str
        Variables whose values are indices of components.

    Raises
    ------
    ValueError
        If a variable has other chains, draws or components than the order, or a label is no index of a component.
    """
    component, orders = order.dims[-1], order.to_numpy()
    K, inverse = order.sizes[component], xr.Variable(order.dims, np.argsort(orders, axis=-1))
    each_draw = {dim: xr.Variable(dim, np.arange(order.sizes[dim])) for dim in SAMPLE}
    changed = {}
    for name, variable in draws.data_vars.items():
        indexed = [dim for dim in (component, f"{component}_bis") if dim in variable.dims]
        if not indexed and name not in labels:
            continue
        try:
            xr.align(variable, order, join="exact")
        except ValueError as error:
            wanted = "draws must have the same chains, draws and components in all groups"
            raise ValueError(f"{wanted}, got others in {name!r}: {error}") from None
        moved = variable.variable
        for dim in indexed:
            moved = moved.isel(each_draw | {dim: xr.Variable((*SAMPLE, dim), orders)})
        if name in labels:
            z = moved.to_numpy()
            if not np.isin(z, np.arange(K)).all():
                hint = ": subtract 1" if (z.min(), z.max()) == (1, K) else ""
                wanted = f"labels must be variables with values 0 to {K - 1}, the components"
                raise ValueError(f"{wanted}, got {name!r} from {z.min()} to {z.max()}{hint}")
            moved = inverse.isel(each_draw | {component: moved.astype(int)}).astype(moved.dtype)
        changed[name] = variable.copy(data=moved.transpose(*variable.dims).to_numpy())
    return draws.assign(changed)
