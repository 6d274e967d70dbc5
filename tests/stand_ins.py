"""Stand-ins for steps of a comparison that take long, for tests of what comes after them."""

import numpy as np
import xarray as xr


def draws_around(model, starts, *, draws, chains, **settings):
    """Return what `comparisons.posterior.sample` returns, of draws about the first start."""
    mode, rng, shape, dims = starts[0], np.random.default_rng(0), (chains, draws), ("chain", "draw")
    values = {}
    for name, value in mode.items():
        size = (*shape, *value.shape) if name != "covariances" else (*shape, len(value), 1, 1)
        values[name] = value * np.exp(0.03 * rng.normal(size=size))
    values["weights"] /= values["weights"].sum(axis=-1, keepdims=True)
    posterior = {name: ((*dims, *model.named_vars_to_dims[name]), value) for name, value in values.items()}
    chosen = {"tuning_steps": 100, "max_depth": 2}
    stats = xr.Dataset({"diverging": (dims, np.zeros(shape, dtype=bool))}, attrs=chosen)
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "sample_stats": stats})
