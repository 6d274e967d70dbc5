"""Random fits against what must hold of every fit: ``python -m benchmarks.fuzz --cases 5000 --seed 0``.

A case (:mod:`benchmarks.fuzz.cases`) is drawn from a seed and its number alone (:mod:`benchmarks.fuzz.draws`, with
:mod:`benchmarks.fuzz.data` and :mod:`benchmarks.fuzz.settings`), fitted (:mod:`benchmarks.fuzz.fit`), and held to
invariants: of one fit (:mod:`benchmarks.fuzz.invariants`), and of fits that must be the same
(:mod:`benchmarks.fuzz.same`). Tolerances are rounding: EPS times a sum of absolute terms
(:mod:`benchmarks.fuzz.reference`), and what the stopping rule leaves.
"""
