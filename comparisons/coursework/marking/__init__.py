"""Marks of submitted notebooks: points with reasons, whatever the submission does.

Each submission has a judge, a process that holds solutions and tests, and a student's process, which the judge starts
(:mod:`comparisons.coursework.marking.sandbox`) and asks across a pipe (:mod:`comparisons.coursework.marking.answers`).
"""
