"""EM on a cluster of this machine's processes, one thread each: ``python -m benchmarks.cluster``.

All that is started is stopped again, files are in temporary folders, and everything listens on the loopback address.
"""
