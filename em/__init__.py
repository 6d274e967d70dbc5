"""How we estimate: EM, written by hand in NumPy. Nothing here imports PyMC or JAX.

Estimators in scikit-learn's manner (`GaussianMixtureEM`, `BernoulliMixtureEM`, `BinomialMixtureEM`, `KMeans`), the
textbook's steps as pure functions (:mod:`em.gmm`, :mod:`em.bmm`), and the quantities of EM's proof (`q_function`,
`entropy`, `elbo`, `complete_data_log_likelihood`).
"""

from em import bmm, gmm
from em.bmm_estimator import BernoulliMixtureEM, BinomialMixtureEM
from em.bound import complete_data_log_likelihood, elbo, entropy, q_function
from em.gmm_estimator import GaussianMixtureEM
from em.kmeans import KMeans
from em.status import CollapseWarning, NoMaximumWarning, NotConvergedWarning, NotIdentifiableWarning

__all__ = [
    "BernoulliMixtureEM",
    "BinomialMixtureEM",
    "CollapseWarning",
    "GaussianMixtureEM",
    "KMeans",
    "NoMaximumWarning",
    "NotConvergedWarning",
    "NotIdentifiableWarning",
    "bmm",
    "complete_data_log_likelihood",
    "elbo",
    "entropy",
    "gmm",
    "q_function",
]
