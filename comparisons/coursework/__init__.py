"""Coursework: a student's step is checked, and a wrong one is told which term is wrong.

`check_e_step`, `check_m_step`, `check_log_likelihood`, `check_q`, `check_fit` and `check_steps` take plain functions on
plain arrays, as a student writes them. The result prints a hint; its `explain()` names the mistake.
"""

from typing import TYPE_CHECKING

from models.lazy import on_demand

if TYPE_CHECKING:
    from comparisons.coursework.checks import (
        check_e_step,
        check_fit,
        check_log_likelihood,
        check_m_step,
        check_q,
        check_steps,
    )
    from comparisons.coursework.result import Check, Verdict

CALLS = "check_e_step", "check_fit", "check_log_likelihood", "check_m_step", "check_q", "check_steps"
HOMES = dict.fromkeys(CALLS, "checks") | {"Check": "result", "Verdict": "result"}
__all__ = ["Check", "Verdict", "check_e_step", "check_fit", "check_log_likelihood", "check_m_step", "check_q"]
__all__ += ["check_steps"]
__getattr__ = on_demand(__name__, HOMES)
