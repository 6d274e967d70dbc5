"""Check random fits for invariants that hold for every fit: ``python -m benchmarks.fuzz --cases 5000 --seed 0``.

A case (:mod:`benchmarks.fuzz.cases`) is drawn from a seed and its number alone (:mod:`benchmarks.fuzz.draws`, with
:mod:`benchmarks.fuzz.data` and :mod:`benchmarks.fuzz.settings`) and fitted (:mod:`benchmarks.fuzz.fit`). Invariants are
checked of one fit (:mod:`benchmarks.fuzz.invariants`) and of pairs of fits that must be the same
(:mod:`benchmarks.fuzz.same`). Tolerances are rounding, EPS times a sum of absolute terms
(:mod:`benchmarks.fuzz.reference`), and the error that the stopping rule allows.
"""
