"""EM on a cluster of this machine's processes, one thread each: ``python -m benchmarks.cluster``.

All processes are stopped at the end, files are in temporary folders, and servers listen on the loopback address.
"""
