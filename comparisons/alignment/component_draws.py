"""Check and permute posterior draws whose variables have a dimension for the components; give them as plain arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
import xarray as xr

from models.parameters import Labels
from models.shown import shown
from models.validation import Array, frozen_array, real_numbers

SAMPLE = ("chain", "draw")


def as_tree(draws: Any) -> xr.DataTree:
    """Return draws as a DataTree with a group posterior; a Dataset, or a node of a tree, becomes that group."""
    if isinstance(draws, xr.DataTree) and "posterior" not in draws.children and draws.data_vars:
        draws = draws.to_dataset()
    if isinstance(draws, xr.Dataset):
        draws = xr.DataTree.from_dict({"posterior": draws})
    if not isinstance(draws, xr.DataTree):
        wanted = f"draws must be an xarray DataTree or Dataset, got {type(draws).__name__}"
        raise ValueError(f"{wanted}: arviz.from_dict or a converter such as arviz.from_cmdstanpy makes one")
    if "posterior" not in draws.children:
        raise ValueError(f"draws must have a group posterior, got {', '.join(draws.children) or 'no group'}")
    return draws


def tree_of(
    draws: Mapping[str, Any], stats: Mapping[str, Any], dims: Mapping[str, Any], coords: Mapping[str, Any] | None = None
) -> xr.DataTree:
    """Return a DataTree with the groups ``posterior`` and ``sample_stats``.

    Parameters
    ----------
    draws : mapping of ndarray, shapes (chains, draws, ...)
        Declared quantities by name.
    stats : mapping of ndarray, shapes (chains, draws)
        Statistics of the sampler for each draw, by name.
    dims : mapping
        Dims of each quantity after chain and draw.
    coords : mapping or None
        Coordinates by dim; dims without coordinates are numbered.
    """
    posterior = xr.Dataset({name: ((*SAMPLE, *dims[name]), values) for name, values in draws.items()})
    named = {dim: (coords or {}).get(dim, np.arange(size)) for dim, size in posterior.sizes.items()}
    of_draws = {name: (SAMPLE, values) for name, values in stats.items()}
    sample_stats = xr.Dataset(of_draws, {dim: named[dim] for dim in SAMPLE})
    return xr.DataTree.from_dict({"posterior": posterior.assign_coords(named), "sample_stats": sample_stats})


def with_labels(group: xr.Dataset, labels: Labels) -> xr.Dataset:
    """Return draws or data with labels as coordinates of their dims, such as the names of the features."""
    return group.assign_coords({dim: list(names) for dim, names in labels.items() if dim in group.dims})


def name_components(draws: Any, dims: Sequence[str], component: str = "component") -> xr.DataTree:
    """Give the dimensions that count components one name in all groups, so that they are permuted together.

    ArviZ gives dimensions without a name a different one for each variable, ``mu_dim_0`` and so on. xarray cannot
    rename two dimensions to one name if one variable has both.

    Parameters
    ----------
    draws : DataTree or Dataset
        Draws with dims (chain, draw, ...).
    dims : sequence of str
        Dimensions that count the components.
    component : str, default "component"
        Their new name.

    Returns
    -------
    DataTree
        The draws with the new name, without coordinates of these dimensions.

    Raises
    ------
    ValueError
        If such a dimension does not exist, their lengths differ, or one variable has two of them.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from comparisons import name_components
    >>> mu = ("chain", "draw", "mu_dim_0"), np.zeros((4, 100, 2))
    >>> theta = ("chain", "draw", "theta_dim_0"), np.full((4, 100, 2), 0.5)
    >>> draws = xr.Dataset({"mu": mu, "theta": theta})
    >>> dict(name_components(draws, ["mu_dim_0", "theta_dim_0"])["posterior"].sizes)
    {'chain': 4, 'draw': 100, 'component': 2}
    """
    tree = as_tree(draws)
    dims = [dims] if isinstance(dims, str) else list(dims)
    posterior = tree["posterior"].to_dataset()
    known = [str(dim) for dim in posterior.dims if dim not in SAMPLE]
    if unknown := [dim for dim in dims if dim not in known]:
        raise ValueError(f"dims must be dimensions of the draws ({', '.join(known)}), got {', '.join(unknown)}")
    if len(set(lengths := {dim: posterior.sizes[dim] for dim in dims}.values())) > 1:
        wanted = "dims must all be as long as there are components"
        raise ValueError(f"{wanted}, got lengths {', '.join(map(str, lengths))}")

    def renamed(variable: xr.DataArray) -> xr.DataArray:
        own = [dim for dim in variable.dims if dim in dims or dim == component]
        if len(own) > 1:
            raise ValueError(f"dims must be at most one of each variable, got {', '.join(own)} of {variable.name!r}")
        return variable.rename(dict.fromkeys(own, component))

    bare = {path: group.drop_vars([*dims, component], errors="ignore") for path, group in tree.to_dict().items()}
    groups = {path: group.map(renamed, keep_attrs=True) for path, group in bare.items()}
    return xr.DataTree.from_dict(groups, name=tree.name)


def posterior_of(tree: xr.DataTree, component: str) -> xr.Dataset:
    """Return the posterior; check that its variables have the dims (chain, draw), and one the dim ``component``."""
    posterior = tree["posterior"].to_dataset()
    for name, variable in posterior.data_vars.items():
        if missing := [dim for dim in SAMPLE if dim not in variable.dims]:
            raise ValueError(f"draws must have the dims chain and draw, but {name!r} has no {missing[0]}")
    if component not in posterior.dims:
        dims = ", ".join(str(dim) for dim in posterior.dims if dim not in SAMPLE) or "none"
        raise ValueError(f"component must name a dimension of the draws ({dims}), got {shown(component)}")
    return posterior


class Arrays(Mapping[str, Array]):
    """Draws as finite arrays by name, shapes (S, K, ...) or (S, ...); each is made when first asked for.

    Parameters
    ----------
    posterior : Dataset
        Variables with dims (chain, draw, ...).
    component : str, default "component"
        Name of the components' dimension.

    Attributes
    ----------
    sizes : tuple of int
        Number of chains, and of draws of each chain.
    n_draws, n_components : int
        Number of draws S of all chains, and of components K.
    """

    def __init__(self, posterior: xr.Dataset, component: str = "component") -> None:
        self.posterior, self.component, self._first = posterior, component, 0
        self.sizes, self.n_components = (posterior.sizes["chain"], posterior.sizes["draw"]), posterior.sizes[component]
        self.n_draws = self.sizes[0] * self.sizes[1]
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            variable = variable_of(self.posterior, name)
            first = [dim for dim in (*SAMPLE, self.component) if dim in variable.dims]
            values = real_numbers(name, variable.transpose(*first, ...).to_numpy())
            if not np.isfinite(values).all():
                raise ValueError(f"draws must be finite, got NaN or infinity in {name!r}")
            values = values.astype(np.float64, copy=False) if values.dtype.kind == "f" else values
            self._made[name] = values.reshape(-1, *values.shape[2:])
        return self._made[name][self._first : self._first + self.n_draws]

    def __iter__(self) -> Iterator[str]:
        return map(str, self.posterior.data_vars)

    def __len__(self) -> int:
        return len(self.posterior.data_vars)

    def parts(self, size: int) -> Iterator[tuple[slice, Self]]:
        """Yield slices of at most ``size`` draws, and the arrays of these draws."""
        for start in range(0, self.n_draws, size):
            part = copy(self)  # a shallow copy shares the arrays
            part._first, part.n_draws = self._first + start, min(size, self.n_draws - start)
            yield slice(start, start + part.n_draws), part


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


def variable_of(posterior: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable of the draws, or raise a ValueError that lists the variables."""
    if name not in posterior.data_vars:
        raise ValueError(f"draws must have the variable {name!r}, got {', '.join(map(str, posterior.data_vars))}")
    return posterior[name]


def as_point(parameters: Any, posterior: xr.Dataset, component: str, what: str = "reference") -> xr.Dataset:
    """Return parameters, an estimator, or a mapping or Dataset of arrays, as a Dataset that fits the draws.

    Raises
    ------
    ValueError
        If a name, a shape or a coordinate is not that of the draws.
    """
    point = {}
    for name, value in _given(parameters, posterior, component, what).items():
        if name not in posterior.data_vars:
            wanted = f"{what} must have variables of the draws ({', '.join(map(str, posterior.data_vars))})"
            raise ValueError(f"{wanted}, got {name!r}: rename the draws', or pass a dict of those that both have")
        like = _one_draw(posterior, name)
        if isinstance(value, xr.DataArray):
            try:
                value = xr.align(value, like, join="exact")[0].transpose(*like.dims)
            except ValueError as error:
                raise ValueError(f"{what} {name} must have the draws' dims and coordinates: {error}") from None
        point[name] = like.copy(data=frozen_array(f"{what} {name}", value, like.shape))
    return xr.Dataset(point)


def _given(parameters: Any, posterior: xr.Dataset, component: str, what: str) -> dict[str, Any]:
    """Return the arrays of parameters, of an estimator, or of a mapping or Dataset, by name.

    Parameters have the component axis first; it is moved to where the draws have it. Variables of a Dataset that have
    no component axis and are not finite numbers are left out.
    """
    given = getattr(parameters, "parameters_", parameters)
    if isinstance(given, xr.Dataset):
        finite = {n: v.dtype.kind in "iuf" and bool(np.isfinite(v).all()) for n, v in given.data_vars.items()}
        return {str(n): v for n, v in given.data_vars.items() if component in v.dims or finite[n]}
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    if not hasattr(given, "arrays"):
        wanted = f"{what} must be parameters, a fitted estimator or arrays by name"
        raise ValueError(f"{wanted}, got {type(parameters).__name__}")
    arrays: dict[str, Array] = given.arrays()
    for name in arrays.keys() & posterior.data_vars.keys():
        like = _one_draw(posterior, name)
        while arrays[name].ndim > like.ndim and arrays[name].shape[-1] == 1:  # axes of a single feature
            arrays[name] = arrays[name][..., 0]
        if component in like.dims:
            arrays[name] = np.moveaxis(arrays[name], 0, like.dims.index(component))
    return arrays


def _one_draw(posterior: xr.Dataset, name: str) -> xr.DataArray:
    return posterior[name].isel(chain=0, draw=0, drop=True)
