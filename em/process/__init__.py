"""Settings of the whole process that must be restored: BLAS threads, warning filters, the terminal."""
