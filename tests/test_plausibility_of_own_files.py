"""Numbers of one's own that may not be what they seem are asked about, and clean numbers are not."""

import numpy as np
import pandas as pd
import pytest
from own_files import written
from sklearn import datasets

from comparisons.data import built_in, read
from comparisons.data.words import is_called

__all__ = ["written"]  # a fixture


def lines_of(*columns, names="abcdefgh"):
    rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([",".join(names[: len(columns)] if isinstance(names, str) else names), *rows]) + "\n"


SPREAD = [round(20 + 0.7 * i + 0.3 * (i % 3), 1) for i in range(20)]
OTHER = [round(5 + 1.1 * (7 * i % 20), 1) for i in range(20)]


def amounts(mean, deviation, n=60, decimals=0):
    x = np.round(np.random.default_rng(mean).normal(mean, deviation, n), decimals)
    return x if decimals else x.astype(int)


def with_marks(*marks):
    return [marks[i % len(marks)] if i % 5 == 2 else x for i, x in enumerate(SPREAD)]


# Each: family, content, and what the lines that are printed must say.
IMPLAUSIBLE = {
    "the largest floats": ("gmm", "a\n1\n1e308\n0\n", "'1e308' in column 'a' is 1e+308"),
    "a code beside a number that might be one": (
        "gmm", lines_of([999, 66, *range(40, 58)], OTHER), "column 'a' holds 999: is it a mark of missing cells?",
    ),
    "a code within amounts that hardly repeat": (
        "gmm", lines_of(np.r_[[999] * 4, amounts(1000, 200, 76)], amounts(70, 9, 80), names=["kcal", "b"]),
        "column 'kcal' holds 999: is it a mark of missing cells? Then --missing 999",
    ),
    "pairs of a long table whose names say nothing": (
        "gmm", lines_of([i // 3 + 9 for i in range(30)], [0, 1, 2] * 10, OTHER + SPREAD[:10]),
        "each combination of b, a is in one row, as in a long table: is a row a sample? If not, write a column for",
    ),
    "a long table of patients, visits and tests": (
        "gmm", lines_of(np.arange(36) // 6 + 9.5, np.arange(36) // 3 % 2, [0, 1, 2] * 12, amounts(60, 9, 36)),
        "each combination of b, c, a is in one row, as in a long table",
    ),
    "points of labels beside decimal commas": (
        "gmm", "room;x;y\n1.10;5,5;2\n2.29;3,75;4\n1.01;4,4;3\n", "'room' has decimal points, others have commas",
    ),
    "a sum and a share, both rounded": (
        "gmm",
        lines_of(SPREAD, OTHER, np.round(np.multiply(SPREAD, 0.19), 2), np.round(np.add(SPREAD, OTHER) / 3, 1)),
        "each of c, d is a sum or other linear combination of the others; --drop c,d leaves them out",
    ),
    "days of the week beside counts": (
        "pmm", lines_of([i % 7 + 1 for i in range(28)], [0, 3, 9, 4] * 7), "read as amounts: a; --drop a",
    ),
    "merged cells of years": (
        "pmm", lines_of([2015, "", "", "", 2016, "", "", ""], [9, 8, 4, 5, 3, 7, 6, 1]),
        "a: each number is above empty cells; write it into every row if merged",
    ),
    "codes beside what is called as an amount is": (
        "gmm", lines_of([7 * i % 61 + 18 for i in range(20)], [0, 3, 1, 4] * 5, names=["age", "b"]), "amounts: b;",
    ),
    "answers, but no measurements": (
        "gmm", lines_of(["yes", "no", "no", ""] * 5, [1, 0, 0, 1, 1] * 4),
        "all features hold only 0 and 1, as answers do: python -m comparisons.bmm takes these",
    ),
    "classes of amounts": (
        "gmm", lines_of([1, 2, 4, 12] * 5, OTHER, names=["income", "b"]), "read as amounts: income; --drop income",
    ),
    "dashes among counts that are never 0": (
        "pmm", lines_of([3, 1, "-", 2, 4] * 3, [0, 3, 9, 4, 1] * 3), "no 0, but empty cells or dashes: a; write 0 if",
    ),
    "two classes of amounts": (
        "gmm", lines_of([0, 1, 1] * 6, OTHER[:18], names=["cluster", "b"]), "read as amounts: cluster; --drop cluster",
    ),
    "remarks of two kinds in few of the rows": (
        "gmm", lines_of(OTHER, ["wet", "dry", "wet", *[""] * 17]), "most cells of b are empty; --drop b if",
    ),
    "zeros that are not far": (
        "gmm", lines_of(with_marks(0), [0, *OTHER[1:]]),
        "holds 0: is it a mark of missing cells? Then --missing 0; if not so in each of a, b, empty these cells in the",
    ),
    "no answer beside a scale": (
        "gmm", lines_of([1, 2, 3, 4, 5, 9] * 3, OTHER[:18]), "column 'a' holds 9: is it a mark of missing cells?",
    ),
    "what a sensor says that is broken": (
        "gmm", lines_of(with_marks(-127), with_marks(85.5)), "column 'a' holds -127: is it a mark of missing cells?",
    ),
    "what no list of marks has": (
        "gmm", lines_of(with_marks(-127), with_marks(85.5)), "column 'b' holds 85.5: is it a mark of missing cells?",
    ),
    "a fill value of a satellite, no farther than the others are from each other": (
        "gmm", lines_of([-3000, *amounts(5000, 1500, 18), -3000], OTHER),
        "column 'a' holds -3000: is it a mark of missing cells, or the end of a scale? Then --missing -3000",
    ),
    "minus a limit of detection": (
        "gmm", lines_of([-5, *range(7, 60, 3), -5], OTHER), "column 'a' holds -5: is it a mark of missing cells, or",
    ),
    "an instrument that measures no more": (
        "gmm", lines_of(np.minimum(amounts(3300, 600), 3900), amounts(70, 9), names=["a", "b"]),
        "column 'a' holds 3900: is it a mark of missing cells, or the end of a scale? Then --missing 3900",
    ),
    "what was not found, beside amounts": (
        "gmm", lines_of([*[0] * 6, *np.geomspace(0.3, 40, 14).round(2)], OTHER),
        "column 'a' holds 0: is it a mark of missing cells, or the end of a scale? Then --missing 0",
    ),
    "subtotals of a statement": (
        "gmm", "id,2021,2022,2023\nSales,1204.5,1390.2,1511\nCosts,-802.1,-911.4,-990.7\nGross,402.4,478.8,520.3\n"
        "Staff,-120.7,-133,-140.1\nRent,-20.3,-21,-29.5\nEarnings,261.4,324.8,350.7\nTax,-60.5,-70,-71.1\n",
        "line 4, line 7: sums of the rows next to them; delete what sums up others",
    ),
    "sums above what they sum": (
        "gmm", "id,males,females,flats\nNorth,5402,5600,2011\nAyr,2301,2350,890\nBute,3101,3250,1121\n"
        "South,9005,9310,4400\nDorn,4003,4100,2250\nEsk,5002,5210,2150\n",
        "line 2, line 5: sums of the rows next to them; delete what sums up others",
    ),
    "debit and credit": (
        "gmm", lines_of([*OTHER[:7], *[""] * 13], [*[""] * 7, *OTHER[7:]], SPREAD),
        "no row holds a beside b: write 0 into empty cells that mean none",
    ),
    "dashes of accounts": (
        "gmm", lines_of(OTHER, [f"({x})" if i % 3 else "-" for i, x in enumerate(OTHER)]),
        "no 0, but empty cells or dashes: b; write 0 if they mean no or none",
    ),
    "codes with decimals": (
        "gmm", lines_of([10.11, 47.19, 62.95, 1.71] * 5, OTHER, names=["nace", "b"]), "read as amounts: nace; --drop",
    ),
    "codes of firms in groups of digits": (
        "gmm", lines_of([f"{300 + 7 * i} {999 - i} {111 + 13 * i}" for i in range(20)], OTHER, names=["SIREN", "b"]),
        "read as amounts: SIREN; --drop SIREN if these numbers are names or ranks",
    ),
    "hours and minutes": (
        "gmm", lines_of([f"{7 + i % 9}.{(7 * i) % 60:02d}" for i in range(40)], range(40)),
        "column 'a' never ends in 60 to 99: does 9.15 mean 9:15? Then write 9.25",
    ),
    "hours and minutes without a point": (
        "gmm", lines_of([f"{7 + i % 9}{(7 * i) % 60:02d}" for i in range(40)], OTHER * 2),
        "column 'a' never ends in 60 to 99: does 915 mean 9:15? Then write 9.25",
    ),
    "digits that a spreadsheet lost": (
        "gmm", "a,b\n1.23457E+11,2\n1.24E+11,3\n", "exponent: '1.23457E+11' in column 'a' is 123457000000",
    ),
    "metres among centimetres": (
        "gmm", lines_of([1.62, 1.71, *range(158, 176)], OTHER),
        "column 'a' holds 1.71 and 158: are some numbers 100 times too small? Then write all in one unit",
    ),
    "grams among kilograms": (
        "gmm", lines_of([1.2, 0.9, *range(850, 1570, 40)], OTHER), "are some numbers 1000 times too small?",
    ),
    "summaries": (
        "gmm", lines_of(SPREAD, OTHER, names=["yield_mean", "yield_sd"]),
        "are yield_mean, yield_sd summaries of groups? A row is one observation",
    ),
    "a long table": (
        "gmm", lines_of(["mass", "height"] * 10, SPREAD, names=["variable", "value"]),
        "does variable name the quantities in value? Write a column for each",
    ),
    "more columns than rows": ("gmm", lines_of(*[[i, i * i + 0.5] for i in range(5)]), "2 rows of 5 features: is a"),
    "groups in columns": (
        "gmm", lines_of(SPREAD, [*OTHER[:15], *[""] * 5], [*OTHER[5:17], *[""] * 8]),
        "b, c end early: are columns groups? Write one of values, and one of groups",
    ),
    "a clock": (
        "gmm", lines_of([round(0.1 * i, 1) for i in range(20)], OTHER), "column 'a' rises or falls from row",
    ),
    "numbers of rows with gaps": (
        "gmm", lines_of([i + i // 4 + 1 for i in range(20)], OTHER, names=["X", "b"]), "column 'X' rises",
    ),
    "correlations": (
        "gmm", ",a,b,c\na,1,0.5,0.2\nb,0.5,1,-0.1\nc,0.2,-0.1,1\n", "3 rows of 3 features: is a row a sample?",
    ),
    "item numbers": (
        "gmm", lines_of([f"{i // 10 + 1}.{i % 10 + 1}" for i in range(20)], OTHER, names=["Pos", "b"]),
        "column 'Pos' rises or falls from row to row",
    ),
    "years of several countries": (
        "gmm", lines_of(OTHER, [*range(2001, 2011), *range(2001, 2011)], names=["a", "year"]), "column 'year' rises",
    ),
    "a counter that counts down, with gaps": (
        "gmm", lines_of(OTHER, [900 - 3 * i - i % 2 for i in range(20)]), "column 'b' rises or falls from row to row",
    ),
    "seconds that are no equal steps, in any column": (
        "gmm", lines_of(OTHER, [round(i + 0.1 * (7 * i % 9), 1) for i in range(20)]), "column 'b' rises or falls",
    ),
    "edges of a graph": (
        "gmm", lines_of([3, 1, 4, 1, 5] * 4, [9, 2, 6, 5, 3] * 4, OTHER, names=["source", "target", "b"]),
        "do source and target name the two ends of a row? Names are no amounts",
    ),
    "codes beside numbers of another kind": (
        "gmm", lines_of([10381, 20384, 10393, 50410] * 5, OTHER, names=["station", "b"]), "read as amounts: station;",
    ),
    "codes as long as each other beside whole amounts": (
        "gmm", lines_of([10381, 20384, 10393, 50410] * 5, [5, 70, 900, 12] * 5, names=["Ort", "b"]),
        "read as amounts: Ort, b; --drop Ort,b if these numbers are names or ranks",
    ),
    "months of years beside counts": (
        "pmm", lines_of([202301, 202304, 202302, 202309] * 5, [5, 0, 9, 12] * 5, names=["periodcode", "b"]),
        "read as amounts: periodcode; --drop periodcode",
    ),
    "hours in any order beside counts": (
        "pmm", lines_of([7 * i % 24 for i in range(48)], [i * i % 11 for i in range(48)], names=["hour", "b"]),
        "read as amounts: hour; --drop hour if these numbers are names or ranks",
    ),
    "a lone number below 0": (
        "gmm", lines_of([-1, *SPREAD[1:]], OTHER), "column 'a' holds -1: is it a mark of missing cells?",
    ),
    "minutes and seconds of three hours": (
        "gmm", lines_of([f"{4 + i % 3}.{(13 * i) % 60:02d}" for i in range(36)], SPREAD + SPREAD[:16]),
        "column 'a' never ends in 60 to 99",
    ),
    "a balance carried over, above the samples": (
        "gmm", "a,b\n,5000\n" + lines_of(SPREAD, OTHER)[4:], "line 2 has fewer cells than all inner rows: delete it if",
    ),
    "extremes that nothing names, below an empty row": (
        "gmm", lines_of(SPREAD, OTHER) + "\n20.0,5.0\n33.9,25.9\n",
        "below an empty row: line 23, line 24; delete lines that summarise others",
    ),
    "a scale whose ends are in its name": (
        "gmm", lines_of([1, 2, 3, 4, 5] * 4, OTHER, names=["mood (1-5)", "speed (km/h)"]),
        "read as amounts: mood (1-5); --drop 'mood (1-5)'",
    ),
    "months": ("gmm", lines_of([1, 5, 12, 7] * 5, OTHER, names=["Month", "b"]), "read as amounts: Month"),
    "classes": ("gmm", lines_of([0, 1, 2, 1] * 5, OTHER), "read as amounts: a; --drop a if"),
    "questions below the names": (
        "cmm", 'Q1,Q2\nHow?,What?\n{id},{no}\nu,v\nx,w\nu,w\nx,v\n', "line 2, line 3: no other row has these levels",
    ),
    "a dash of accounts before its currency": (
        "gmm", "a;b\n1.234,50 €;2\n-   €;3\n12,00 €;7\n", "a dash of accounts: '-   €' in column 'a' is 0",
    ),
    "a rule below the names": ("gmm", "| a | b |\n|---|:---:|\n| 1 | 2.5 |\n| 7 | 3 |\n", "2 rows, 2 features: a, b"),
    "two letters for micro": ("gmm", "a,b\n1.5 \u00b5g,2\n2 \u03bcg,3\n7 \u00b5g,9\n", "unit \u00b5g removed from"),
    "two dots and a dash for nothing": ("gmm", "a,b\n1.5,2\n..,3\n7,\u2013\n", "2 of 6 cells (1 .., 1 \u2013)"),
    "bar codes of a Turkish shop": ("gmm", "Barkod,b\n8690577,1.5\n8690429,7\n8690623,3", "left out: column 'Barkod'"),
    "depth of reading beside counts of genes": (
        "pmm", lines_of([0, 3, 1, 2] * 5, [812, 1930, 977, 1204] * 5, names=["LYZ", "n_counts"]),
        "column 'n_counts' may hold exposures: give its name to --exposure, or --drop n_counts",
    ),
    "a total before its parts": (
        "pmm", lines_of([40 + 7 * i % 31 for i in range(20)], [i % 7 for i in range(20)],
        [40 + 7 * i % 31 - i % 7 for i in range(20)], [i * i % 11 for i in range(20)]),
        "column 'a' is a sum or other linear combination of the others; --drop a leaves it out",
    ),
    "households of two persons among answers": (
        "cmm", lines_of([3 * (i // 2) + i // 20 for i in range(40)], [i * i % 7 % 3 for i in range(40)]),
        "column 'a' rises or falls from row to row like a clock or a counter: is it a feature? If not, --drop a",
    ),
    "long numbers among levels": (
        "cmm", lines_of([20200101000100, 20200101000200] * 10, [1, 2, 2, 1] * 5),
        "levels: a: 20200101000100, 20200101000200; b: 1, 2",
    ),
    "several answers with blanks between them": (
        "cmm", lines_of(["radio", "bike", "radio bike", "not any"] * 5, ["agree", "strongly agree"] * 10),
        "a: bike, not any, radio, radio bike; b: agree, strongly agree",
    ),
    "several answers in most of the longer cells": (
        "cmm", lines_of(["radio", "bike", "radio bike", "bike"] * 5, [1, 2] * 10),
        "a: bike, radio, radio bike (several answers in a cell? Then write a column of yes and no for each); b: 1, 2",
    ),
    "survey weights of the European Social Survey": (
        "gmm", lines_of(SPREAD, OTHER, names=["a", "pspwght"]), "column 'pspwght' is read as a feature, because freq",
    ),
    "clusters of a survey among answers": (
        "cmm", lines_of([i // 4 for i in range(20)], [1, 2] * 10, names=["psu", "sex"]),
        "psu: 0, 1, 2, 3, 4 (labels, clusters or amounts? Then --drop psu)",
    ),
    "cases that several rows have": (
        "cmm", lines_of([f"C{i // 4}" for i in range(20)], ["open", "shut"] * 10, names=["case_id", "b"]),
        "case_id: C0, C1, C2, C3, C4 (labels, clusters or amounts? Then --drop case_id)",
    ),
    "marks among the levels": (
        "cmm", lines_of(["./.", "0/0", "0/1", "1/1"] * 5, [*"uv"] * 10),
        "a: ./., 0/0, 0/1, 1/1 (marks? Then --missing ./.); b: u, v",
    ),
    "genotypes of which none was called": (
        "cmm", lines_of(["0/0", "A/A", "A/G", "G/G"] * 5, ["0/0", "0/1", "1/1", "0/1"] * 5),
        "a: 0/0, A/A, A/G, G/G (marks? Then --missing 0/0); b: 0/0, 0/1, 1/1",
    ),
    "two rows for each animal, under a name that says nothing": (
        "cmm", lines_of([f"ind{i // 2}" for i in range(24)], [120, 122, 124] * 8),
        "ind0, ind1, ind10, ind11, ind2, ind3, ind4, ind5, ... (12) (labels, clusters or amounts? Then --drop a)",
    ),
    "voters over which votes are counted": (
        "pmm", lines_of([8100, 1200, 9900, 4400] * 5, [3, 0, 9, 4] * 5, names=["Registered", "b"]),
        "column 'Registered' may hold exposures: give its name to --exposure, or --drop Registered",
    ),
    "lengths of genes beside their reads": (
        "pmm", lines_of([0, 3, 1, 2] * 5, [812, 1930, 977, 1204] * 5, names=["s1.bam", "Length"]),
        "column 'Length' may hold exposures: give its name to --exposure, or --drop Length",
    ),
    "numbers of students": (
        "gmm", lines_of([10419, 10234, 10567, 10309], [4.5, 7, 2, 3], [1.5, 4, 7, 7.5], names=["ID number", *"bc"]),
        "left out: column 'ID number' (labels, each once)",
    ),
    "crosses and dashes in a table of finds": (
        "bmm", "a,b\nX,1\n-,0\n?,0\nX,0\n", "turned into numbers: a: X is 1, - is 0",
    ),
    "refused answers on a scale from 1": (
        "cmm", lines_of([-1, 1, 2, 3, 4] * 4, [1, 2, 3, -1] * 5, [1, 2] * 10),
        "each of a, b holds -1: is it a mark of missing cells? Then --missing -1; if not so in each of a, b, empty",
    ),
    "a table at the right": (
        "gmm", lines_of(SPREAD, OTHER, [""] * 20, [7.5, 2, 20, *[""] * 17], names=[*"ab", "", "d"]),
        "cells of d end early: are columns groups? Write one of values, and one of groups; --drop d if they are of an",
    ),
    "games over which goals are counted": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [8, 12, 30, 9] * 5, names=["gols", "jogos"]),
        "column 'jogos' may hold exposures: give its name to --exposure, or --drop jogos",
    ),
    "minutes over which birds are counted": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [20, 45, 60, 33] * 5, [9, 31, 12, 7] * 5, names=["b", "TOTAL MINUTES", "MP"]),
        "each of TOTAL MINUTES, MP may hold exposures: give its name to --exposure, or --drop 'TOTAL MINUTES,MP'",
    ),
    "days over which purchases are counted": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [20, 45, 60, 33] * 5, names=["purchases", "days_active"]),
        "column 'days_active' may hold exposures: give its name to --exposure, or --drop days_active",
    ),
    "minutes and observers in French": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [5, 10, 20, 5] * 5, [1, 2] * 10, names=["a", "Durée (min)", "Observateurs"]),
        "each of Durée (min), Observateurs may hold exposures: give its name to --exposure, or --drop 'Durée (min),Obs",
    ),
    "days insured, written in one word": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [20, 45, 60, 33] * 5, names=["claims", "DaysInsured"]),
        "column 'DaysInsured' may hold exposures: give its name to --exposure, or --drop DaysInsured",
    ),
    "agents, and readers in Czech": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [5, 9] * 10, [61, 92] * 10, names=["leden", "Agents on shift", "Čtenáři"]),
        "each of Agents on shift, Čtenáři may hold exposures: give its name to --exposure, or --drop 'Agents on shift,",
    ),
    "prices without cents": (
        "gmm", "price;b\nCHF 1'153'000.–;2\nCHF 912'000.–;3\nCHF 1'020'500.–;7\n",
        "000.–\" in column 'price' is 1153000",
    ),
    "parts that passed or not, in Italian": (
        "bmm", "a,b\nOK,1\nKO,0\nOK,1\n", "turned into numbers: a: OK is 1, KO is 0",
    ),
    "open days in Japanese, and nights out": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [5, 9] * 10, [21, 26] * 10, names=["a", "Nights out", "営業日数"]),
        "each of Nights out, 営業日数 may hold exposures",
    ),
    "a sum of levels": (
        "cmm", lines_of([1, 2, 3, 4] * 5, [1, 2, 2, 1, 3] * 4, np.add([1, 2, 3, 4] * 5, [1, 2, 2, 1, 3] * 4)),
        "column 'c' is a sum or other linear combination of the others; --drop c leaves it out",
    ),
    "ages among counts": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [20, 45, 60, 33] * 5, [7, 2] * 10, names=["a", "DrivAge", "bonus_malus"]),
        "each of DrivAge, bonus_malus may be measured, not counted: --drop DrivAge,bonus_malus if so",
    ),
    "two years among counts, and days of the month": (
        "pmm", lines_of([0, 3, 9, 4] * 5, [2021, 2022] * 10, [3, 31, 17, 8, 28] * 4, names=["claims", "year", "day"]),
        "read as amounts: year, day; --drop year,day if these numbers are names or ranks",
    ),
    "ages as levels": (
        "cmm", lines_of([18 + 7 * i % 30 for i in range(60)], [1, 2] * 30, names=["age", "sex"]),
        "25, ... (30) (labels, clusters or amounts? Then --drop age)",
    ),
    "points where a survey was made": (
        "cmm", lines_of([i // 4 for i in range(20)], [1, 2] * 10, names=["sample_point", "sex"]),
        "sample_point: 0, 1, 2, 3, 4 (labels, clusters or amounts? Then --drop sample_point)",
    ),
    "refused answers beside yes and no": (
        "cmm", lines_of([1, 2, 1, 9] * 5, [1, 2] * 10),
        "column 'a' holds 9: is it a mark of missing cells? Then --missing 9",
    ),
    "genotypes of two letters, of which none was called": (
        "cmm", lines_of(["00", "AA", "AG", "GG"] * 5, [0, 1] * 10),
        "a: 00, AA, AG, GG (marks? Then --missing 00); b: 0, 1",
    ),
    "subtotals that lack a cell": (
        "pmm", "visits,orders,open\n850,60,7\n901,44,6\n777,71,7\n2528,175,\n640,152,7\n702,139,6\n1342,291,\n",
        "line 5, line 8: sums of the rows next to them; delete what sums up others",
    ),
    "the key of a test": (
        "cmm", lines_of(["KEY", *range(11, 30)], list("ABCDB") * 4, list("CDAB") * 5, names=["ID", "Q1", "Q2"]),
        "no number in 'ID' in line 2: delete what holds a key, sums, means, an empty form or the like",
    ),
    "a total beside as many columns as rows": (
        "pmm", lines_of([68, 119, 26, 7], [20, 84, 17, 94], [1, 4, 0, 9], [89, 207, 43, 110], names=[*"abc", "sum"]),
        "column 'sum' is a sum or other linear combination of the others; --drop sum leaves it out",
    ),
    "persons at risk": (
        "pmm", lines_of([3, 0, 9, 4] * 5, [8100, 1200, 9900, 4400] * 5, names=["cases", "Population"]),
        "column 'Population' may hold exposures: give its name to --exposure, or --drop Population",
    ),
    "headings among rows of words": (
        "cmm", "crop,a,b\nNorth,,\nrye,1,2\noats,2,2\nrye,1,3\nSouth,,\nrye,2,2\noats,1,3\n",
        "without an observed feature but 'crop': 2 rows, the first in line 2; delete them if they are headings",
    ),
    "sexes 1 and 2 among counts": (
        "pmm", lines_of([1, 2] * 10, [3, 0, 9, 4] * 5, names=["male", "b"]), "read as amounts: male; --drop male",
    ),
    "codes of which only one is repeated": (
        "pmm", lines_of([*[1, 2, 3, 5, 10, 15, 30] * 4, 77, 88, 88], np.arange(31) % 5),
        "column 'a' holds 77 and 88: are these marks of missing cells? Then --missing 77,88",
    ),
    "boxes that are ticked or empty": (
        "cmm", lines_of(["Y", "", "Y", ""] * 5, [1, 2] * 10),
        "a: Y and empty cells (write yes and no, if these are two answers)",
    ),
    "a long table of answers": (
        "cmm", lines_of(["Q1", "Q2"] * 10, ["u", "v", "v", "u"] * 5, names=["question", "answer"]),
        "does question name the quantities in answer? Write a column for each",
    ),
    "numbers of employees": ("gmm", "Employee,b\n4711,1.5\n4823,7\n4630,3\n", "left out: column 'Employee'"),
}  # fmt: skip

# Each: family, content, and what the message must say.
REFUSED = {
    "units that two columns share": (
        "gmm", "peak,time,area,width\n,min,mAU*min,min\n" + "".join(f"{i},{i}.5,{i**2}.1,0.{i}\n" for i in range(9)),
        "line 2 holds 'min', 'mAU*min', 'min' among numbers: if these are units or titles, delete the line",
    ),
    "a table that R printed, in two parts": (
        "gmm", "  a b\n1 1.5 2\n2 7 8\n3 2 9.5\n  c\n1 4\n2 5\n3 7\n",
        "line 5: expected 3 cells as in line 2, got 1, 'c': delete it if it is a note",
    ),
    "formats below the names": (
        "gmm", "who\tflow\n5s\t14n\nUSGS\t7\nUSGS\t9\nUSGS\t8.5\n",
        "got '14n'; write numbers alone, or all of the column with one unit, or delete a line of formats: correct it",
    ),
    "limits of detection that a column marks": (
        "gmm", "Pb,flag\n0.5,<\n1.7,\n0.5,<\n3.1,\n",
        "'flag' holds '<' in line 2, so that a number beside it is a limit and no measurement: write NA for such",
    ),
    "a short row among rows that end in a comma": (
        "gmm", "a,b,c\n1,2,3,\n4,5\n" + "7,8,9.5,\n" * 5, "line 3: expected 3 cells as in line 1, got 2, '4,5': cor",
    ),
    "settings of one cell above a table": (
        "gmm", "Gain:,2\n[Data]\nt,u,v\n1,2,3\n4,5,7\n5,5,8\n", "delete the lines above line 3, if the table",
    ),
    "settings in a line of more cells": (
        "gmm", "TOA5,CR1,1234,x\nt,u\nV,A\n1,2\n3,4\n5,7\n", "delete the lines above line 2, if the table begins there",
    ),
    "tabs below a title with blanks": (
        "gmm", "Lab Made\t\nSep\tTab\n*End*\t\nX\tV\tC\n" + "1.5\t2\t\n7\t9\t\n" * 9, "'Lab Made' is a title",
    ),
    "a table that is cut in two ways": ("gmm", "a,b\n1,2\n3,4\n5;6\n7;8.5\n", "cut all lines by one mark"),
    "tables side by side": ("gmm", "a,b,,a,b\n1,2,,3,4\n5,7,,6,8\n", "or keep one of the tables side by side"),
    "JSON with blanks": ("gmm", '[\n {\n  "a": 1},\n {"a": 2}]', "is JSON"),
    "answers besides yes and no": (
        "bmm", "a,b\nyes,1\nno,0\nrefused,1\nno,0\n",
        "('yes' in line 2; --missing refused if these are no answers, else write no or yes)",
    ),
    "means above the samples": (
        "gmm", "who,a,b\nMean,4.5,5\nSD,2,3\n" + "x,1,2.5\ny,7,9\n" * 3, "line 2, column 'who': 'Mean' begins a row",
    ),
    "sums that a later column names": (
        "gmm", "a,b,c\nu,x,1\nu,y,2\nu,Subtotal,3\nv,x,4\nv,y,1.5\nv,Subtotal,5.5\n",
        "line 4, column 'b': 'Subtotal' begins a row of sums, means or the like: delete it, and lines like it; if it",
    ),
    "years of merged cells above the names": (
        "gmm", "a,2022,,2023,\n,x,y,x,y\nu,1,2,3,4\nv,5,7,6,1\n", "may be names or data: give each column one name",
    ),
    "a balance that is carried over": (
        "gmm", "who;a;b\nÜbertrag;;5000,5\nx;1;5001,5\ny;4;5005,5\n", "line 2, column 'who': 'Übertrag' begins a row",
    ),
    "extremes below the samples": (
        "gmm", "who,a,b\nx,1.5,2\ny,4,7.5\nz,2,3\nMin,1.5,2\nMax,4,7.5\n", "line 5, column 'who': 'Min' begins a row",
    ),
    "a German mean below the samples": ("gmm", "who,a,b\nx,1.5,2\ny,4,7.5\nMittel,2.8,4.8\n", "'Mittel' begins a row"),
    "the world below its countries": (
        "gmm", "who,a,b\nx,1.5,2\ny,4,7.5\nz,2,3\nWorld,9,14\n", "line 5, column 'who': 'World' begins a row",
    ),
    "rounded means that nothing names": (
        "gmm", lines_of([*SPREAD, round(np.mean(SPREAD), 1)], [*OTHER, round(np.mean(OTHER), 1)], [*OTHER[::-1], 15.4]),
        "line 22 holds the means of the rows above it",
    ),
    "rounded means of which one is whole": (
        "gmm", lines_of([*(i + 10.5 for i in range(20)), 20.0], [*OTHER, round(np.mean(OTHER), 1)], [*SPREAD, 26.9]),
        "line 22 holds the means of the rows above it",
    ),
    "means of a span of years": (
        "gmm", "Jahr,a\n1998,1.5\n1999,4\n2000,7\nMittel 1998-2000,4.2\n",
        "'Mittel 1998-2000' begins a row of sums, means",
    ),
    "means of each class": (
        "gmm", "who,a\n" + "".join(f"{c}{i},{i}.5\n" * (i < 9) or "Class mean,4.5\n" for c in "st" for i in range(10)),
        "line 11, column 'who': 'Class mean' begins a row of sums, means or the like",
    ),
    "Polish in an old encoding": (
        "gmm", "Wiek,Rzut piłką\n1,2\n4,7.5\n".encode("cp1250"), "'i³k' is no word in cp1252: save it as CSV UTF-8",
    ),
    "answers whose accents differ": (
        "bmm", "a,b\nsim,1\nSim,0\nnão,0\nNão,1\nnao,1\n",
        "words of 3 kinds ('sim' in line 2; --missing nao if these are no answers, else write não or sim)",
    ),
    "two remarks in a form": (
        "cmm", lines_of([1, 2, 3] * 4, ["", "cold", "thanks", *[""] * 9]),
        "column 'b' holds free text (2 different values, 'cold' in line 3)",
    ),
    "two remarks beside amounts": (
        "gmm", lines_of(OTHER, ["", "cold", "thanks", *[""] * 17]), "column 'b' holds free text ('cold' in line 3)",
    ),
    "numbers of persons among answers": (
        "cmm", lines_of(range(40, 250, 7), [1, 2] * 15), "column 'a' holds too many levels (30 different values",
    ),
    "years below the names": (
        "gmm", "who,a,b\n,2022,2023\nx,1.5,2\ny,4,7\nz,7,8\n", "line 2: column 'who' labels all rows but this one",
    ),
    "points that are possible": (
        "gmm", "who,ID,a\nPoints,,10\nx,511,5.5\ny,515,7\nz,542,8\n", "line 2: column 'ID' labels all rows but this",
    ),
    "lists of so many kinds that none marks a missing cell": (
        "gmm", lines_of([f"{i};{i + 50}" if i % 2 else i for i in range(20)], OTHER),
        "got '1;51'; write numbers alone, or all of the column with one unit: correct it, or --drop a to leave the",
    ),
    "years of exposure beside claims": (
        "pmm", lines_of([0, 2, 1, 0] * 5, [0.5, 0.25, 1, 0.75] * 5, names=["claims", "Exposure"]),
        "takes measurements; --exposure Exposure takes them as sizes: correct it, or",
    ),
    "letters and a dash among others": ("bmm", "a,b\nx,1\n-,0\ny,0\nx,1\n", "holds words of 3 kinds ('x' in line 2)."),
    "a word and a mark that say neither yes nor no": (
        "bmm", "a,b\nfound,1\n*,0\nfound,0\n", "('found' in line 2; write yes and no, if these are two answers)",
    ),
    "differences among counts, of so many kinds that none marks a missing cell": (
        "pmm", lines_of([30, 41, 28, 55, 47] * 4, [7, -9, -13, -2, -4] * 4),
        "in column 'b', got -9: correct it, or --drop b to leave the column out",
    ),
    "a row of standard errors": ("gmm", "who,a,b\nx,1,2.5\ny,7,9\nz,2,3\nStd. Error,1.9,2.1\n", "'Std. Error' begins"),
    "numbers with marks, of which one is shown": (
        "gmm", lines_of([f"{'~' * (i % 4 > 0)}{x}" for i, x in enumerate(SPREAD)], OTHER),
        "column 'a' holds free text ('~21.0' in line 3)",
    ),
    "times": ("gmm", "a,b\n0:42:17,1\n0:43:01,2\n0:40:11,5\n", "column 'a' holds dates or times ('0:42:17' in line 2)"),
    "a code that is written as a month": ("gmm", "a,b\n2345-7,1\n2345-7,2.5\n", "'a' holds nothing but '2345-7'"),
    "two encodings": ("gmm", "Größe,b\n1,2\n".encode() + b"M\xfcnchen,3\n", "is no UTF-8 in line 3, and"),
    "two numbers in a cell": ("gmm", 'a,b\n1.5,2\n"3\n4",5\n7,8\n', "line 3: expected a number in column 'a', got"),
    "points and commas among exponents": (
        "gmm", "a;b\n-2.25e+03;1\n1,5;2\n0.7;3\n", "line 2, column 'a': decimal points and commas are mixed",
    ),
    "blanks among decimals": ("gmm", "a;b\n1.57 0;1\n", "column 'a' holds nothing but '1.57 0'"),
    "baskets": ("cmm", "a,b,c\na,d\nb,d,a\nd\nb,a,d,c\n", "if lines list what was chosen, write a column of yes and"),
    "frequencies that Stata counted": ("bmm", "a,b,_freq\n0,1,9\n1,0,7\n1,1,8\n", "--weights _freq for frequencies"),
    "captures of animals as one number": (
        "bmm", "ch,a\n01101,1\n10010,0\n00111,1\n", "'ch' holds several answers in a cell ('01101' in line 2): write",
    ),
    "patterns of answers that all begin with 1": (
        "cmm", "a,count\n11111,9\n11010,4\n10101,3\n", "column 'a' holds several answers in a cell (11111 in line 2)",
    ),
    "members of a household": (
        "cmm", lines_of([1, 1, 2, 2, 5, 5], ["u", "v"] * 3, names=["SERIAL", "b"]), "column 'SERIAL' may hold labels",
    ),
    "a long number among answers": (
        "bmm", "a,b\n526301100,1\n526302000,0\n", "--missing 526301100 if it marks a missing cell",
    ),
    "answers of several rows": (
        "cmm", lines_of([1, 1, 2, 2, 5, 5], ["u", "v"] * 3, names=["respondent", "b"]),
        "some of them repeated: write one row for each, if several are one sample; --drop respondent",
    ),
    "two marks that say neither yes nor no": (
        "bmm", "a,b\n●,1\n○,0\n●,0\n", "(\'●\' in line 2; write yes and no, if these are two answers)",
    ),
    "a cross table": ("cmm", "hair,brown,blue\nred,3,9\nfair,4,8\ndark,7,2\n", "none is a level: if these are counts"),
}  # fmt: skip


@pytest.mark.parametrize("kind", IMPLAUSIBLE)
def test_what_is_implausible_is_read_and_named(written, kind):
    family, content, said = IMPLAUSIBLE[kind]
    lines = "\n".join(read(written(content), family).notes)
    assert said in lines, lines


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_table_of_samples_is_refused(written, kind):
    family, content, said = REFUSED[kind]
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        read(written(content), family)
    assert said in str(refusal.value), refusal.value


@pytest.mark.parametrize(
    "content",
    [
        lines_of([f"{x:.0f} kg" for x in SPREAD], OTHER),
        lines_of([f"{x:.0f}'000" for x in SPREAD], OTHER),
        lines_of([f"{x:.0f}" for x in SPREAD], [f"{x:.0f}" for x in OTHER]),
        lines_of([106, 114, 115, 141] * 5, [5, 70, 900, 12] * 5, names=["units", "b"]),
        lines_of(SPREAD, OTHER),
        lines_of([10.11, 47.19, 25.25, 1.31, 5.57] * 8, OTHER * 2, names=["rate", "b"]),
    ],
)
def test_numbers_of_one_kind_and_with_units_are_amounts(written, content):
    notes = "\n".join(read(written(content), "gmm").notes)
    assert "read as amounts" not in notes
    assert "names several units" not in notes
    assert "9.15" not in notes


@pytest.mark.parametrize(
    "content",
    [
        lines_of(
            amounts(170, 9, 60, 1), amounts(72, 12, 60, 1), amounts(84, 9, 60, 1), names=["height", "weight", "waist"]
        ),
        lines_of(amounts(170, 9), amounts(72, 12), names=["Height_cm", "Weight"]),
        lines_of(amounts(20, 3, 60, 1), amounts(4, 0.5, 60, 2), names=["mpg", "wt"]),
        lines_of(amounts(5, 1, 60, 2), amounts(45, 6), amounts(900, 150), names=["b", "age", "rent"]),
        lines_of(amounts(88, 6), amounts(990, 9), amounts(5, 1, 60, 2), names=["score", "price", "b"]),
    ],
)
def test_nothing_is_said_about_clean_files(written, content):
    assert read(written(content), "gmm").notes[1:] == ("missing: none",)


def test_a_clean_german_file_has_one_line_on_how_it_is_written(written):
    content = lines_of(
        amounts(90, 20, 60, 1), amounts(9, 2, 60, 1), amounts(60, 9), names=["Fläche", "Preis", "Personal"]
    )
    *others, how = read(written(content.replace(",", ";").replace(".", ",")), "gmm").notes
    assert len(others) == 2
    assert how.startswith("file: decimal comma: ")


def questions(written, frame, family="gmm"):
    notes = read(written(frame.to_csv(index=False)), family).notes
    return [line for line in notes if "?" in line or "transpose" in line]


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_nothing_is_asked_about_the_sets_of_scikit_learn(written, name):
    assert questions(written, getattr(datasets, f"load_{name}")(as_frame=True).data) == []


@pytest.mark.parametrize("name", [name for name, make in built_in("gmm").items()])
def test_nothing_is_asked_about_built_in_data(written, name):
    assert questions(written, built_in("gmm")[name]().to_frame()) == []


def test_next_to_nothing_is_asked_about_measurements_that_were_rounded(written):
    rng = np.random.default_rng(0)
    asked = 0
    for decimals in (0, 1, 2):
        for _ in range(20):
            centres, sizes = rng.uniform(20, 100, 10), rng.uniform(0.5, 10, 10)
            X = np.where(rng.random((60, 10)) < 0.5, rng.normal(centres, sizes, (60, 10)), centres + 3 * sizes)
            X += rng.normal(0, sizes, X.shape)
            asked += len(questions(written, pd.DataFrame(np.round(X, decimals)).add_prefix("x")))
    assert asked <= 3  # of 600 columns


def test_next_to_nothing_is_asked_about_counts_that_are_never_zero(written):
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({"a": rng.poisson(0.5, 90), "b": rng.poisson(5, 90) + rng.poisson(0.1)}) for _ in range(60)]
    frames = [frame[frame["b"] > 0] for frame in frames]
    notes = [read(written(frame.to_csv(index=False)), "pmm").notes for frame in frames]
    assert sum(any("read as amounts" in line for line in lines) for lines in notes) <= 6


def test_measurements_that_are_rounded_are_no_combinations_of_each_other(written):
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame(rng.normal(50, 5, (30, 4)).round(i % 3)).add_prefix("x") for i in range(60)]
    notes = [line for frame in frames for line in read(written(frame.to_csv(index=False)), "gmm").notes]
    assert not any("combination" in line for line in notes)


def test_a_column_that_begins_late_is_beside_the_others_all_the_same(written, monkeypatch):
    monkeypatch.setattr("comparisons.data.plausibility.MOST_LOOKED_AT", 10)
    notes = "\n".join(read(written(lines_of(SPREAD, [*[""] * 12, *OTHER[12:]])), "gmm").notes)
    assert "no row holds" not in notes, notes


def test_a_key_of_a_test_is_asked_about_if_it_alone_has_no_points(written):
    rows = [
        f"{'KEY' if i == 0 else 'ABCDEFGHIJKLMNOPQRST'[i]},{'ABCD'[i % 4]},{'CDB'[i % 3]},{i or ''}" for i in range(20)
    ]
    notes = read(written("\n".join(["who,Q1,Q2,points", *rows]) + "\n"), "cmm", drop="who,points").notes
    assert "no 'points' in line 2: delete what holds a key, sums, means, an empty form or the like" in notes, notes


def test_last_rows_that_lack_a_cell_of_a_column_that_is_left_out_are_asked_about(written):
    rows = [f"{i // 4 if i % 4 == 0 else ''},T{i % 5},{SPREAD[i]},{OTHER[i]}" for i in range(20)]
    content = "\n".join(["block,plot,a,b", *rows, "prosjek,,30.1,15.7", "greška,,4.2,6.4"]) + "\n"
    notes = read(written(content), "gmm", drop="block,plot").notes
    assert "no 'plot' in line 22, line 23: delete what holds a key, sums, means, an empty form or the like" in notes


@pytest.mark.parametrize("name", ["record_id", "X", ""])
def test_a_mark_of_missing_cells_is_not_meant_for_the_row_of_that_number(written, name):
    content = lines_of(range(1, 9), [0, 1, 2, 1] * 2, [1, 0, 0, 1] * 2, names=[name, "b", "c"])
    dataset = read(written(content), "bmm", missing="2")
    assert dataset.feature_names == ("b", "c")
    assert dataset.row_labels == tuple("12345678")
    assert np.isnan(dataset.X).sum() == 2


def test_a_mark_of_missing_cells_is_meant_for_numbers_that_are_named_as_a_feature(written):
    content = lines_of(range(1, 9), [0, 1, 2, 1] * 2, names=["record_id", "b"])
    assert np.isnan(read(written(content), "gmm", columns="record_id,b", missing="2").X[1, 0])
    assert "--missing: no feature holds 7" in read(written(content), "gmm", missing="7").notes


def test_blanks_around_the_words_of_a_parquet_file_make_no_levels(tmp_path):
    pd.DataFrame({"a": ["u", "u ", " v"] * 4, "b": ["x", None, " "] * 4}).to_parquet(tmp_path / "mine.parquet")
    dataset = read(tmp_path / "mine.parquet", "cmm")
    assert any(note.startswith("levels: a: u, v; b: x") for note in dataset.notes), dataset.notes
    assert dataset.X["b"].isna().sum() == 8


@pytest.mark.parametrize(
    "name",
    [
        "policy_years",
        "n_traps",
        "units_inspected",
        "transect_length_km",
        "effort_min",
        "batch_size",
        "ObsHours",
        "pop2020",
    ],
)
def test_names_of_exposures_are_known(name):
    assert is_called(name, "exposure")


@pytest.mark.parametrize(
    "name", ["goals_home", "births", "sick_days", "days_absent", "leden", "red_cards", "ants", "age_s"]
)
def test_names_of_counts_are_no_exposures(name):
    assert not is_called(name, "exposure")


def test_words_below_a_name_of_exposures_are_none(written):
    notes = "\n".join(read(written(lines_of([0, 3, 9, 4] * 5, [*"ABBA"] * 5, names=["claims", "Area"])), "pmm").notes)
    assert "exposures" not in notes, notes


@pytest.mark.parametrize(("names", "asked"), [("goals Min Shots", True), ("eggs min max", False)])
def test_min_beside_max_is_no_exposure_but_minutes_are(written, names, asked):
    file = written(lines_of([0, 3, 9, 4] * 5, [20, 45, 60, 33] * 5, [70, 91, 82, 77] * 5, names=names.split()))
    assert ("exposures" in "\n".join(read(file, "pmm").notes)) == asked


def test_a_mark_of_missing_cells_is_not_asked_about_as_a_number_in_another_unit(written):
    gusts = [999.9 if i % 4 == 0 else round(x - 8, 1) for i, x in enumerate(SPREAD)]
    notes = "\n".join(read(written(lines_of(gusts, OTHER)), "gmm").notes)
    assert "column 'a' holds 999.9: is it a mark of missing cells? Then --missing 999.9" in notes, notes
    assert "times too small" not in notes, notes


def test_a_largest_number_that_is_called_as_a_mark_is_not_asked_about_beside_an_ordinary_88(written):
    notes = "\n".join(read(written(lines_of([*range(38, 87, 2), 88, 97], amounts(5, 2, 27, 1))), "gmm").notes)
    assert "of missing cells?" not in notes, notes


@pytest.mark.parametrize("option", ["drop", "index"])
def test_sums_below_each_block_are_asked_about_if_a_column_of_names_leaves_them_empty(written, option):
    block = "Ann,1.5,2\nBob,4,7.5\nCyd,2,3\nDan,5,7\n,12.5,19.5\n,,\n"
    notes = read(written("who,a,b\n" + 2 * block), "gmm", **{option: "who"}).notes
    assert "no 'who' in line 6, line 12: delete what holds a key, sums, means, an empty form or the like" in notes, (
        notes
    )


@pytest.mark.parametrize("option", ["drop", "index"])
def test_boxes_that_nobody_ticked_in_the_empty_rows_of_a_form_are_asked_about(written, option):
    rows = [f"{'ABCDEFGHIJKL'[i]}x,{i % 2 > 0},{i % 3 > 0}" for i in range(12)] + [",False,False"] * 18
    path = written("\n".join(["who,a,b", *rows]) + "\n")
    with pytest.raises(ValueError, match="'who' holds free text"):  # not merged cells, to be written into every row
        read(path, "bmm")
    notes = read(path, "bmm", **{option: "who"}).notes
    assert any("no 'who' in line 14, line 15," in note and "an empty form" in note for note in notes), notes


def test_a_long_table_of_which_a_key_is_left_out_is_asked_about_beside_frequencies(written):
    rows = "".join(f"{site},{kind},{site * len(kind) % 7}\n" for site in range(1, 9) for kind in ("wren", "owl"))
    kept = read(written("site,kind,count\n" + rows), "pmm", drop="kind").notes
    assert any("each combination of kind, site is in one row" in note for note in kept), kept


def test_what_holds_for_several_columns_is_said_once(written):
    rows = [f"{i + i // 4},{2 * i + i % 3},{x},0,0\n" for i, x in enumerate(OTHER, start=100)]
    notes = read(written("a,b,x,c,d\n" + "".join(rows)), "gmm").notes
    assert sum("from row to row" in note for note in notes) == sum("in every row" in note for note in notes) == 1
    assert "each of c, d is 0 in every row; --drop c,d leaves them out" in notes
    assert any(note.startswith("each of a, b rises or falls") and note.endswith("If not, --drop a,b") for note in notes)


def test_a_mark_of_zeros_is_not_meant_for_the_number_zero(written):
    content = lines_of(["00", "AA", "AG", "GG"] * 5, [0, 1] * 10)
    assert read(written(content), "cmm", missing="00").X.isna().sum().tolist() == [5, 0]


def test_exposures_are_asked_about_once(written):
    content = lines_of([0, 3, 9, 4] * 5, [2100, 4500, 6000, 3300] * 5, names=["falls", "bed_days"])
    notes = "\n".join(read(written(content), "pmm").notes)
    assert "'bed_days' may hold exposures" in notes
    assert "read as amounts" not in notes, notes


@pytest.mark.parametrize(("cell", "value"), [("1.250,-", 1250), ("12,-", 12), ("1.250,50-", -1250.5), ("7,–", 7)])
def test_a_dash_in_place_of_decimals_is_no_minus(written, cell, value):
    assert read(written(f"a;b\n{cell};2\n2,5;3\n4;7,5\n"), "gmm").X[0, 0] == value
