"""Build both PyMC models of any mixture from its family's generative story.

::

    π ~ Dirichlet(a),    components ~ prior,    z_i ~ Categorical(π),    x_i | z_i = k ~ component k

The explicit model has the label z. In the marginal model z is summed out, as NUTS, `find_MAP` and LOO need. An
exponential family has natural parameters η_kj and statistics T_j(x), and its marginal density is ::

    log p(x_i | θ) = base(x_i) + logsumexp_k { log π_k + Σ_j η_kj T_j(x_i) }

a matrix product of tensors η and numbers T, computed once for each distinct row of counts. A missing cell has size 0,
statistics of 0 and a base of 0, so its likelihood is 1 at any parameters.

`models.pmm.story` is the shortest example. Neither it nor this module uses `em`, because the models are a check of
`em`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import scipy.special
from numpy.typing import ArrayLike
from pytensor.tensor.variable import TensorConstant

from models.cells import Cells
from models.distributions.flat import flat
from models.distributions.mixture_likelihood import LOG_ZERO, MixtureLogProb
from models.parameters import Labels, Quantity, labels_of_features
from models.validation import Array, column_names, count_at_least_one

Theta = Mapping[str, Any]
Distribution = tuple[Any, ...]


class Story(ABC):
    """The generative story of a family.

    Below, x (n, D) are the samples and s (n, D) the sizes of their cells: numbers of trials, exposures, or 1, and 0 for
    a missing cell. Both are NumPy arrays; if data are symbolic, x is a tensor.

    Attributes
    ----------
    prior_types : tuple of type
        Classes of the priors that :meth:`declare` takes.
    quantities : tuple of Quantity
        The declared arrays, the weights first; by default those of the priors' parameters.
    cells : Cells
        Which data are legal, and the name of their sizes; by default those of the priors' parameters.
    lengths : dict
        Lengths of dims that are neither samples, components nor features.
    options : tuple
        Further arguments of the prior's ``check_fits``, after K and D.
    """

    prior_types: ClassVar[tuple[Any, ...]]
    lengths: Mapping[str, int] = MappingProxyType({})
    options: tuple[Any, ...] = ()

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:  # noqa: D102 - among the attributes
        return tuple(self.prior_types[0].parameters_type.quantities)

    @cached_property
    def cells(self) -> Cells:  # noqa: D102 - among the attributes
        return self.prior_types[0].parameters_type.cells

    def data(self, X: ArrayLike, size: ArrayLike) -> tuple[Array, Array]:
        """Return x, checked, with some legal value in missing cells, and s."""
        return self.cells.dense(X, size)

    def labels(self, names: Sequence[str] | None) -> Labels:
        """Return the coordinates of dims that a frame's column names give, by dim; {} without names."""
        return labels_of_features(names)

    @abstractmethod
    def declare(self, prior: Any, like: Mapping[str, dict[str, Any]]) -> None:
        """Declare all quantities but the weights in the current PyMC model, under a prior.

        ``like`` holds ``shape`` and ``dims`` of each quantity by name. Hyperparameters must be float64 arrays: PyMC may
        convert Python floats to float32.
        """

    @abstractmethod
    def given_label(self, own: Theta, size: Array) -> Distribution:
        """Return the distribution of x given each row's own quantities: a PyMC class and a dict of its arguments.

        Positional arguments stand between the two, as those of `pm.CustomDist`.
        """

    def build_model(self, X: ArrayLike, n_components: int, prior: Any, size: ArrayLike = 1, **named: Any) -> pm.Model:
        """Build the model with labels: a label for each sample, then its features given the label.

        ::

            z_i ~ Categorical(π),    x_id | z_i = k ~ component k

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples; NaN where a cell is missing.
        n_components : int
            Number of components K.
        prior : MixturePrior or None
            The family's prior; ``None`` makes all parameters flat, for maximum likelihood only.
        size : number or array_like, shape (D,) or (n, D)
            Size of each cell, if the family has sizes; also by the family's own name, such as ``exposure``.

        Returns
        -------
        pymc.Model
            Random variables by the names of the family's quantities, ``z`` (obs) and the observed ``x`` (obs, feature).

        Raises
        ------
        ValueError
            If X is not legal data of the family, a size is not legal, or the prior does not fit the family, K and D.

        Examples
        --------
        >>> from models.pmm import PMMPrior, build_model
        >>> sorted(build_model([[0], [3], [9]], n_components=2, prior=PMMPrior(), exposure=2).named_vars)
        ['rates', 'weights', 'x', 'z']
        """
        return self.model(X, n_components, prior, self.cells.size_of(size, named), marginal=False)

    def build_marginal_model(
        self, X: ArrayLike, n_components: int, prior: Any, size: ArrayLike = 1, **named: Any
    ) -> pm.Model:
        """Build the same model with z summed out, as NUTS, `find_MAP` and LOO need.

        ::

            log p(x_i | θ) = logsumexp_k { log π_k + log p(x_i | z_i = k) }

        Parameters, returned model (which has no ``z``) and errors are those of :meth:`build_model`.

        Examples
        --------
        >>> from models.pmm import PMMPrior, build_marginal_model
        >>> sorted(build_marginal_model([[0], [3], [9]], n_components=2, prior=PMMPrior()).named_vars)
        ['rates', 'weights', 'x']
        """
        return self.model(X, n_components, prior, self.cells.size_of(size, named), marginal=True)

    def log_prob(self, x: Any, theta: Theta, size: Array, data: Array) -> Any:
        """Return log p(x_i | θ) of the observed cells, shape (n,); ``data`` is the x that the model was built with.

        It is logsumexp_k {log π_k + Σ_d log p(x_id | z_i = k)} for features that are independent given the label.
        """
        own = {q.name: theta[q.name] for q in self.quantities[1:]}
        given_label = self.log_prob_given_label(x[:, None], own, size[:, None])
        return pt.logsumexp(pt.log(theta["weights"]) + given_label, axis=1)

    def starts(self, x: Array) -> dict[str, Array]:
        """Return where optimisers start under flat priors, by quantity, if the middle of the support is no good start.

        A start has the shape of one component's quantity, and is the same for all components.
        """
        return {}

    def draw(self, z: Any, theta: Theta, size: Array) -> Any:
        """Draw x given labels z."""
        distribution, *numbers, named = self.given_label(self.owned(theta, z), size)
        return distribution.dist(*numbers, **named)

    def log_prob_given_label(self, x: Any, own: Theta, size: Array) -> Any:
        """Return log p(x_i | z_i, θ) of the observed cells, shape (n,)."""
        distribution, *numbers, named = self.given_label(own, size)
        x = pt.switch(size > 0, x, self.cells.legal) if self.cells.legal else x  # keeps gradients finite
        return pt.switch(size > 0, pm.logp(distribution.dist(*numbers, **named), x), 0.0).sum(axis=-1)

    def owned(self, theta: Theta, z: Any) -> dict[str, Any]:
        """Return the quantities of each row's component, shapes (n, ...), and shared quantities as they are."""
        return {q.name: theta[q.name] if q.shared else theta[q.name][z] for q in self.quantities[1:]}

    def model(self, X: ArrayLike, n_components: int, prior: Any, size: ArrayLike = 1, *, marginal: bool) -> pm.Model:
        """Build the model with the label z, or the marginal model; arguments as for :meth:`build_model`."""
        x, size = self.data(X, size)
        n, D = x.shape
        lengths = {"obs": n, "component": count_at_least_one("n_components", n_components), "feature": D}
        lengths |= {dim: D for q in self.quantities for dim in q.dims if dim == "feature_bis"} | dict(self.lengths)
        values = {"observed": x.astype(np.int64) if self.cells.whole else x, "dims": ("obs", "feature")}
        labels = self.labels(column_names(X))
        with pm.Model(coords={dim: labels.get(dim, range(length)) for dim, length in lengths.items()}) as model:
            theta = self._declared(prior, x, lengths)
            if marginal:
                self._observe(theta, x, size, values)
                return model
            z = pm.Categorical("z", p=theta["weights"], dims="obs")
            if (size > 0).all():
                distribution, *numbers, named = self.given_label(self.owned(theta, z), size)
                distribution("x", *numbers, **named, **values)
            else:
                self._observe({"z": z} | {q.name: theta[q.name] for q in self.quantities[1:]}, x, size, values)
        return model

    def _declared(self, prior: Any, x: Array, lengths: dict[str, int]) -> dict[str, Any]:
        """Declare the parameters in the current model, and return them by name."""
        shapes = {q.name: q.shape(lengths) for q in self.quantities}
        if prior is None:
            starts = self.starts(x)
            return {q.name: flat(q, shapes[q.name], starts.get(q.name)) for q in self.quantities}
        if not isinstance(prior, self.prior_types):
            known = " or ".join(f"a {kind.__name__}" for kind in self.prior_types)
            comma = "," if " or " in known else " or"
            raise ValueError(f"prior must be None{comma} {known}, got {type(prior).__name__}")
        K = lengths["component"]
        prior.check_fits(K, lengths["feature"], *self.options)
        pm.Dirichlet("weights", a=np.array(np.broadcast_to(prior.concentration, K)), dims="component")
        self.declare(prior, {q.name: {"shape": shapes[q.name], "dims": q.dims} for q in self.quantities})
        return {name: pm.modelcontext(None)[name] for name in shapes}

    def _observe(self, given: dict[str, Any], data: Array, size: Array, values: dict[str, Any]) -> None:
        """Declare x with the family's own density: given labels z and the components, or given all of θ."""
        dims = {q.name: q.dims for q in self.quantities} | {"z": ()}
        inputs = ",".join(f"({','.join(dims[name])})" for name in given)

        def draw(*arguments: Any) -> Any:
            *arrays, shape = arguments
            theta = dict(zip(given, arrays, strict=True))
            z = theta["z"] if "z" in given else pm.Categorical.dist(theta["weights"], size=shape)
            return self.draw(z, theta, size)

        def log_prob(x: Any, *arrays: Any) -> Any:
            theta = dict(zip(given, arrays, strict=True))
            if "z" in given:
                return self.log_prob_given_label(x, self.owned(theta, theta["z"]), size)
            return self.log_prob(x, theta, size, data)

        kind, signature = "int64" if self.cells.whole else "float64", f"{inputs}->(feature)"
        pm.CustomDist("x", *given.values(), dist=draw, logp=log_prob, signature=signature, dtype=kind, **values)


class ExponentialStory(Story):
    """The generative story of an exponential family, whose density is one matrix product."""

    @abstractmethod
    def natural(self, theta: Theta) -> tuple[Any, ...]:
        """Return the natural parameters η_j (K, D) as tensors; log 0 is -inf."""

    @abstractmethod
    def statistics(self, x: Any, size: Array) -> tuple[Any, ...]:
        """Return the statistics T_j (n, D), with 0 for missing cells."""

    def log_base(self, x: Any, size: Array) -> Any:
        """Return the part of log p(x_id | θ) without parameters, (n, D), with 0 for missing cells."""
        return np.zeros(size.shape)

    def log_prob(self, x: Any, theta: Theta, size: Array, data: Array) -> Any:
        """Return log p(x_i | θ) of the observed cells, shape (n,): a matrix product, for counts over distinct rows."""
        which: list[np.ndarray] = []
        join = pt.concatenate
        if isinstance(x, TensorConstant):
            x, join = x.data.astype(np.float64), np.concatenate
            if self.cells.whole and x.shape == size.shape:
                x, size, *which = distinct_rows(x, size)
        natural = pt.concatenate([pt.log(theta["weights"])[:, None], *self.natural(theta)], axis=1)
        statistics = join([np.ones((len(size), 1)), *self.statistics(x, size)], axis=1).T
        base = self.log_base(x, size).sum(axis=-1)
        return MixtureLogProb()(pt.maximum(natural, LOG_ZERO), statistics, base, *which)


def distinct_rows(x: Array, size: Array) -> tuple[Array, Array, np.ndarray]:
    """Return the distinct rows of x and the sizes of their cells, (m, D) each, and each sample's distinct row, (n,).

    The likelihood of counts is computed once for each distinct row.
    """
    columns = np.concatenate([x, size], axis=1)[:, ::-1]  # sorted by the last column first
    _, first, which = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return x[first], size[first], which


def log_factorial(x: Any) -> Any:
    """Return log x!, elementwise, of numbers or of a tensor."""
    return scipy.special.gammaln(x + 1) if isinstance(x, np.ndarray) else pt.gammaln(x + 1)
