"""EM for mixture models, in NumPy. Nothing here imports PyMC or JAX.

- Estimators in scikit-learn's manner: `GaussianMixtureEM`, `BernoulliMixtureEM`, `BinomialMixtureEM`,
  `PoissonMixtureEM`, `CategoricalMixtureEM`, `KMeans`.
- The textbook's steps as pure functions: :mod:`em.gmm`, :mod:`em.bmm`, :mod:`em.pmm`, :mod:`em.cmm`.
- The quantities in the proof of EM: `q_function`, `entropy`, `elbo`, `complete_data_log_likelihood`.
- The number of components: `select`, `likelihood_ratio_test`.
- Anomalies: `is_anomaly`, `density_threshold`.
- Plots: :mod:`em.plots`.
- Files: `save` and `load` for fits; `open_parquet` and `sample_rows` for data.
- Streams: `partial_fit` of every mixture, `StreamSettings`, `merge`.
- The posterior, imported on first use: `VariationalMixture`, :mod:`em.gibbs`, :mod:`em.variational`.
"""

from typing import Any

from em import bmm, cmm, gmm, plots, pmm
from em.anomalies import density_threshold, is_anomaly
from em.bmm.estimator import BernoulliMixtureEM, BinomialMixtureEM
from em.bound import complete_data_log_likelihood, elbo, entropy, q_function
from em.chunked.files import open_parquet
from em.chunked.sampling import sample_rows
from em.cmm.estimator import CategoricalMixtureEM
from em.families import estimators
from em.gmm.estimator import GaussianMixtureEM
from em.kmeans import KMeans
from em.likelihood_ratio import LikelihoodRatioTest, likelihood_ratio_test
from em.pmm.estimator import PoissonMixtureEM
from em.saving import load, save
from em.selection import Selection, select
from em.status import (
    CollapseWarning,
    FewerClustersWarning,
    NoMaximumWarning,
    NotConvergedWarning,
    NotIdentifiableWarning,
)
from em.streams import StreamSettings
from em.streams.merging import merge
from em.uncertainty import Uncertainty

__all__ = ["BernoulliMixtureEM", "BinomialMixtureEM", "CategoricalMixtureEM", "GaussianMixtureEM", "KMeans"]
__all__ += ["PoissonMixtureEM", "bmm", "cmm", "gmm", "plots", "pmm"]
__all__ += ["complete_data_log_likelihood", "elbo", "entropy", "q_function"]
__all__ += ["LikelihoodRatioTest", "Selection", "Uncertainty", "likelihood_ratio_test", "select"]
__all__ += ["StreamSettings", "density_threshold", "is_anomaly", "load", "merge", "open_parquet", "sample_rows", "save"]
__all__ += ["CollapseWarning", "FewerClustersWarning", "NoMaximumWarning", "NotConvergedWarning"]
__all__ += ["NotIdentifiableWarning", "VariationalMixture"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Return `VariationalMixture`, or the estimator of a family that was added as a folder (:mod:`em.families`)."""
    if name == "VariationalMixture":
        from em.variational_mixture import VariationalMixture

        return VariationalMixture
    if name.endswith("EM") and name in (known := estimators()):
        return known[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
