"""Posterior draws whose variables have a dimension for the components: what is in them, as plain arrays."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from models.validation import Array, real_numbers

SAMPLE = ("chain", "draw")


def as_tree(draws: Any) -> xr.DataTree:
    """Return draws as a DataTree with a group posterior; a Dataset is taken for that group."""
    if isinstance(draws, xr.Dataset):
        draws = xr.DataTree.from_dict({"posterior": draws})
    if not isinstance(draws, xr.DataTree):
        raise ValueError(f"draws must be an xarray DataTree or Dataset, got {type(draws).__name__}")
    if "posterior" not in draws.children:
        raise ValueError(f"draws must have a group posterior, got {', '.join(draws.children) or 'no group'}")
    return draws


def n_components(posterior: xr.Dataset, component: str) -> int:
    """Return K, checked: variables with dims (chain, draw), at least one with the dimension ``component``."""
    for name, variable in posterior.data_vars.items():
        if missing := [dim for dim in SAMPLE if dim not in variable.dims]:
            raise ValueError(f"draws must have the dims chain and draw, but {name!r} has no {missing[0]}")
    if component not in posterior.dims:
        found = ", ".join(str(dim) for dim in posterior.dims if dim not in SAMPLE)
        raise ValueError(f"component must name a dimension of the draws ({found or 'none'}), got {component!r}")
    K = posterior.sizes[component]
    if (second := posterior.sizes.get(f"{component}_bis", K)) != K:
        raise ValueError(f"{component}_bis must be as long as {component}, {K}, got {second}")
    if not posterior.sizes["chain"] * posterior.sizes["draw"]:
        raise ValueError("draws must hold at least one draw, got none")
    return K


class Arrays(Mapping[str, Array]):
    """Draws as finite arrays (S, ...), with the component first after the draw, by name.

    Parameters
    ----------
    posterior : Dataset
        Variables with dims (chain, draw, ...).
    component : str
        Name of the components' dimension.
    """

    def __init__(self, posterior: xr.Dataset, component: str) -> None:
        self.posterior, self.component = posterior, component
        self.n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
        self._seen: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._seen:
            self._seen[name] = self._array(name)
        return self._seen[name]

    def _array(self, name: str) -> Array:
        variable = variable_of(self.posterior, name)
        first = [dim for dim in (*SAMPLE, self.component) if dim in variable.dims]
        values = real_numbers(name, variable.transpose(*first, ...).to_numpy())
        if not np.isfinite(values).all():
            raise ValueError(f"draws must be finite, got NaN or infinity in {name!r}")
        return values.reshape(-1, *values.shape[2:])

    def __iter__(self) -> Iterator[str]:
        return map(str, self.posterior.data_vars)

    def __len__(self) -> int:
        return len(self.posterior.data_vars)


def variable_of(posterior: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable of the draws, or raise a ValueError that says which there are."""
    if name not in posterior.data_vars:
        raise ValueError(f"draws must have the variable {name!r}, got {', '.join(map(str, posterior.data_vars))}")
    return posterior[name]


def is_point(parameters: Any) -> bool:
    """Whether something is an estimator, parameters, or arrays by name."""
    return isinstance(parameters, Mapping) or hasattr(parameters, "arrays") or hasattr(parameters, "parameters_")


def as_point(parameters: Any, posterior: xr.Dataset, component: str, what: str = "reference") -> xr.Dataset:
    """Return parameters, an estimator, or a mapping or Dataset of arrays, as a Dataset that fits the draws.

    Raises
    ------
    ValueError
        If a name, a shape or a coordinate is not that of the draws.
    """
    if hasattr(parameters, "fit") and not hasattr(parameters, "parameters_"):
        raise ValueError(f"{what} must be fitted: call its fit(X) first, got {type(parameters).__name__} before")
    if isinstance(parameters, xr.DataTree):
        raise ValueError(f"{what} must be parameters, got a DataTree: take one draw of its group posterior")
    given = getattr(parameters, "parameters_", parameters)
    given = given.arrays() if hasattr(given, "arrays") else given
    if not is_point(given):
        raise ValueError(f"{what} must be parameters or arrays by name, got {type(parameters).__name__}")
    point = {}
    for name, value in given.items():
        if name not in posterior.data_vars:
            held = ", ".join(map(str, posterior.data_vars))
            raise ValueError(f"{what} must have variables of the draws ({held}), got {name!r}")
        like = posterior[str(name)].isel(chain=0, draw=0)
        if isinstance(value, xr.DataArray):
            value = _same_coordinates(value, like, what)
        array = real_numbers(f"{what} {name}", value).astype(np.float64)
        if array.shape != like.shape:
            axis = like.dims.index(component) if component in like.dims else None
            if axis is not None and array.ndim == like.ndim and array.shape[axis] != like.shape[axis]:
                counts = f"{array.shape[axis]} components in {name!r}, and the draws have {like.shape[axis]}"
                raise ValueError(f"{what} must have as many components as the draws, got {counts}")
            raise ValueError(f"{what} {name} must have shape {like.shape} like a draw, got {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{what} must be finite, got NaN or infinity in {name!r}")
        point[str(name)] = (like.dims, array)
    dims = {dim for of_variable, _ in point.values() for dim in of_variable}
    return xr.Dataset(point, coords={dim: posterior.coords[dim] for dim in dims if dim in posterior.coords})


def _same_coordinates(value: xr.DataArray, like: xr.DataArray, what: str) -> xr.DataArray:
    """Return a labelled array in the order of the draw's dims, checked to have its dims and coordinates."""
    if set(value.dims) != set(like.dims):
        raise ValueError(f"{what} {value.name} must have the dims {like.dims}, got {value.dims}")
    for dim in like.dims:
        if dim in value.coords and dim in like.coords and value.sizes[dim] == like.sizes[dim]:
            have, want = value.coords[dim].to_numpy(), like.coords[dim].to_numpy()
            if not np.array_equal(have, want):
                raise ValueError(f"{what} {value.name} must have the draws' {dim} {want.tolist()}, got {have.tolist()}")
    return value.transpose(*like.dims)
