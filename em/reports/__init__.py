"""Reports of fitted estimators: a summary of the fit, a table with a row for each sample, and an HTML page."""

from os import PathLike
from typing import Any

from numpy.typing import ArrayLike

from em.uncertainty import Uncertainty


class ReportsOfMixture:
    """The reports of a fitted mixture."""

    def summary(
        self,
        X: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        uncertainty: Uncertainty | str | bool | None = None,
    ) -> Any:
        """Return a summary of the fit: model, criteria, clusters, certainty of the assignment, parameters by name.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            The samples that the mixture was fitted to, which it does not keep. Chunks are read once, with weights once
            more, and for an uncertainty twice more.
        sample_weight : array_like, shape (n,), or None
            How often each row counts.
        uncertainty : Uncertainty, {"louis", "bootstrap", "parametric bootstrap"}, bool or None, default None
            Standard errors and intervals beside the parameters: a result of :meth:`uncertainty`, or the kind to
            compute. True is "louis".

        Returns
        -------
        Summary
            Printing it shows the summary; ``to_frame()`` has the parameters, ``to_frame("components")`` the clusters
            and ``to_frame("fit")`` the other numbers.

        Raises
        ------
        ValueError
            If an argument is not legal.

        Examples
        --------
        >>> from em import BernoulliMixtureEM
        >>> X = [[1]] * 36 + [[0]] * 64
        >>> BernoulliMixtureEM(1).fit(X).summary(X, uncertainty=True)
        Bernoulli mixture of 1 component by maximum likelihood
        100 samples of 1 feature
        <BLANKLINE>
        log-likelihood  free parameters      AIC      BIC      ICL
               -65.342                1  132.684  135.289  135.289
        <BLANKLINE>
        component  weight  samples  probability
                0  1.0000      100       1.0000
        largest probability: 1.0000 on average, above 0.9 for 100.0 % of the samples
        <BLANKLINE>
        observed information (Louis), 0.95 intervals
        parameter    estimate  standard error      low     high
        weights[0]          1               -        -        -  always 1
        probs[0, 0]      0.36           0.048  0.27216  0.45834
        information of full rank 1
        <BLANKLINE>
        Fit: converged after 1 iteration, at most 1e-08 nats from the limit; best of 1 restart
        Objectives at which restarts ended, unless stopped before: -65.342 (1 time)
        """
        from em.reports.summary import summary_of

        return summary_of(self, X, sample_weight, uncertainty)

    def assignments(
        self,
        X: ArrayLike,
        *,
        threshold: float | None = None,
        quantile: float = 0.04,
        sample_weight: ArrayLike | None = None,
    ) -> Any:
        """Return a pandas frame with a row for each sample: label, probabilities, log density, anomaly.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            Samples. If X is a frame, the result has its index. Dask's X gives a lazy DataFrame in the same chunks; if
            no threshold is given, it is computed at once in four passes.
        threshold, quantile, sample_weight
            Definition of an anomaly, as in :func:`em.anomalies.is_anomaly`.

        Returns
        -------
        DataFrame
            A pandas or Dask frame with columns ``label``, the most probable component; ``component_0`` ..., the
            responsibilities; ``log_density`` in nats; and ``anomaly``.

        Examples
        --------
        >>> from em import BernoulliMixtureEM
        >>> X = [[1]] * 36 + [[0]] * 64
        >>> BernoulliMixtureEM(1).fit(X).assignments(X).tail(2)
            label  component_0  log_density  anomaly
        98      0          1.0    -0.446287    False
        99      0          1.0    -0.446287    False
        """
        from em.reports.assignments import assignments_of

        return assignments_of(self, X, threshold, quantile, sample_weight)

    def report(
        self,
        X: ArrayLike,
        path: str | PathLike[str],
        *,
        sample_weight: ArrayLike | None = None,
        uncertainty: Uncertainty | str | bool | None = True,
    ) -> None:
        """Write a page about the fit: one self-contained HTML file, to send or to print.

        It has the numbers of :meth:`summary`, the picture of :func:`em.plots.plot`, the optima of the restarts,
        settings, versions and a citation.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            The samples that the mixture was fitted to.
        path : str or path
            The HTML file; one that exists is replaced.
        sample_weight : array_like, shape (n,), or None
            How often each row counts.
        uncertainty : Uncertainty, {"louis", "bootstrap", "parametric bootstrap"}, bool or None, default True
            Standard errors and intervals beside the parameters, as in :meth:`summary`. True leaves them out if the fit
            collapsed, or if it has more than 1,000 free parameters, which would take long.

        Raises
        ------
        ValueError
            If an argument is not legal, or if ``path`` is something else than a file.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from em import BernoulliMixtureEM
        >>> X = [[1]] * 36 + [[0]] * 64
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     BernoulliMixtureEM(1).fit(X).report(X, f"{folder}/fit.html")
        ...     "Bernoulli mixture of 1 component" in Path(folder, "fit.html").read_text()
        True
        """
        from em.reports.page import has_errors, write_fit_report

        asked = has_errors(self) if uncertainty is True else uncertainty
        write_fit_report(self, X, path, sample_weight, uncertainty=asked)


class ReportsOfKMeans:
    """The reports of fitted clusters."""

    def summary(self, X: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Any:
        """Return a summary of the fit: inertia, sizes of the clusters, centres by name.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            Samples, such as those of the fit.
        sample_weight : array_like, shape (n,), or None
            How often each row counts.

        Returns
        -------
        Summary
            Printing it shows the summary; ``to_frame()`` has the centres, ``to_frame("components")`` the clusters and
            ``to_frame("fit")`` the other numbers.

        Examples
        --------
        >>> from em import KMeans
        >>> X = [[0.0], [1.0], [9.0], [11.0]]
        >>> KMeans(2, init=[[0.0], [9.0]]).fit(X).summary(X)
        K-means with 2 clusters
        4 samples of 1 feature
        <BLANKLINE>
        inertia
          2.500
        <BLANKLINE>
        cluster  samples  mean squared distance
              0        2                   0.25
              1        2                      1
        <BLANKLINE>
        parameter              estimate
        cluster_centers[0, 0]       0.5
        cluster_centers[1, 0]        10
        <BLANKLINE>
        Fit: converged after 1 iteration, inertia at most 0 above the limit; best of 1 restart
        """
        from em.reports.clusters import cluster_summary

        return cluster_summary(self, X, sample_weight)

    def assignments(self, X: ArrayLike) -> Any:
        """Return a pandas frame with a row for each sample: ``label``, the nearest centre, and ``distance`` to it.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            Samples. If X is a frame, the result has its index. Dask's X gives a lazy DataFrame.

        Examples
        --------
        >>> from em import KMeans
        >>> X = [[0.0], [1.0], [9.0], [11.0]]
        >>> KMeans(2, init=[[0.0], [9.0]]).fit(X).assignments(X)
           label  distance
        0      0       0.5
        1      0       0.5
        2      1       1.0
        3      1       1.0
        """
        from em.reports.assignments import nearest_centers

        return nearest_centers(self, X)

    def report(self, X: ArrayLike, path: str | PathLike[str], *, sample_weight: ArrayLike | None = None) -> None:
        """Write a page about the fit, as :meth:`ReportsOfMixture.report` does, with silhouettes.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples, such as those of the fit.
        path : str or path
            The HTML file; one that exists is replaced.
        sample_weight : array_like, shape (n,), or None
            How often each row counts.

        Raises
        ------
        ValueError
            If an argument is not legal, or if ``path`` is something else than a file.
        OSError
            If the file cannot be written.
        """
        from em.reports.page import write_fit_report

        write_fit_report(self, X, path, sample_weight)
