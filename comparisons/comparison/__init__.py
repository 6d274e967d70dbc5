"""Compare EM with PyMC on one mixture: EM's estimates with PyMC's density, mode and posterior, and a verdict."""
