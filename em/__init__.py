"""How we estimate: EM, written by hand in NumPy. Nothing here imports PyMC or JAX.

Estimators in scikit-learn's manner (`GaussianMixtureEM`, `BernoulliMixtureEM`, `BinomialMixtureEM`, `KMeans`,
`MiniBatchKMeans`), the textbook's steps as pure functions (:mod:`em.gmm`, :mod:`em.bmm`), the quantities of EM's proof
(`q_function`, `entropy`, `elbo`, `complete_data_log_likelihood`), `kmeans_sweep` over K, and `save` and `load` for
fitted estimators.
"""

from em import bmm, gmm
from em.bmm_estimator import BernoulliMixtureEM, BinomialMixtureEM
from em.bound import complete_data_log_likelihood, elbo, entropy, q_function
from em.gmm_estimator import GaussianMixtureEM
from em.kmeans import KMeans
from em.kmeans_sweep import kmeans_sweep
from em.minibatch_kmeans import MiniBatchKMeans
from em.saving import load, save
from em.status import CollapseWarning, NoMaximumWarning, NotConvergedWarning, NotIdentifiableWarning

__all__ = [
    "BernoulliMixtureEM",
    "BinomialMixtureEM",
    "CollapseWarning",
    "GaussianMixtureEM",
    "KMeans",
    "MiniBatchKMeans",
    "NoMaximumWarning",
    "NotConvergedWarning",
    "NotIdentifiableWarning",
    "bmm",
    "complete_data_log_likelihood",
    "elbo",
    "entropy",
    "gmm",
    "kmeans_sweep",
    "load",
    "q_function",
    "save",
]
