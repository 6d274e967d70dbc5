"""What belongs to the whole process and must be given back: threads of BLAS, warning filters, the terminal."""
