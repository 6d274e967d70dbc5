"""Distributions and densities that PyMC lacks, for the stories of all families."""
