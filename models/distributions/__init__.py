"""Distributions and densities that PyMC lacks, for the models of all families."""
