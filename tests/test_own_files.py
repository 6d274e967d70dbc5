"""Files of one's own are read to the array that they state, and what was read is said first."""

import gzip
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_files import invoke, written

import comparisons.comparison.steps
from comparisons.comparison.problem import prepare
from comparisons.data import find, load, read, read_csv

__all__ = ["written"]  # a fixture
NAN = np.nan


# Each: family, content, options, names, rows, and what the lines that are printed must say.
READ = {
    "plain": ("gmm", "a,b\n1,2.5\n3,4\n", {}, "a b", [[1, 2.5], [3, 4]], ["2 rows, 2 features: a, b", "missing: none"]),
    "German Excel: semicolons, decimal comma, cp1252": (
        "gmm",
        "Größe;Übung\r\n1,5;2,25\r\n-0,5;3\r\n".encode("cp1252"),
        {},
        "Größe Übung",
        [[1.5, 2.25], [-0.5, 3]],
        ["decimal comma: '1,5' in column 'Größe' is 1.5", "cp1252"],
    ),
    "no answer, as Germans write it, with and without blanks": (
        "bmm", "a;b\nja;1\nk. A.;0\nnein;N / A\nk.A.;1\nja;0\n", {}, "a b",
        [[1, 1], [NAN, 0], [0, NAN], [NAN, 1], [1, 0]], ["1 k. A., 1 k.A., 1 N / A"],
    ),
    "measurements of nothing but 0 and 1, which are no patterns of answers": (
        "gmm", "dose,y\n1000,.5\n1010,.7\n1100,.2\n1000,.9\n", {}, "dose y",
        [[1000, 0.5], [1010, 0.7], [1100, 0.2], [1000, 0.9]], [],
    ),
    "German thousands": (
        "gmm",
        "a;b\n1.234,5;2\n12.345.678;7\n",
        {},
        "a b",
        [[1234.5, 2], [12345678, 7]],
        ["marks of thousands: '1.234,5'"],
    ),
    "French: narrow blanks for thousands": (
        "gmm",
        "a;b\n1\u202f234,5;2\n3;9\n",
        {},
        "a b",
        [[1234.5, 2], [3, 9]],
        ["thousands"],
    ),
    "Swiss apostrophes": ("gmm", "a;b\n1'234.5;2\n3;9\n", {}, "a b", [[1234.5, 2], [3, 9]], ["thousands"]),
    "Excel's hint of the separator": ("gmm", "sep=;\r\na;b\r\n1;2\r\n7;5\r\n", {}, "a b", [[1, 2], [7, 5]], []),
    "US Excel: thousands in quotes beside a decimal point": (
        "gmm",
        'a,b\n"1,234",2.5\n"13,456",4\n',
        {},
        "a b",
        [[1234, 2.5], [13456, 4]],
        ["marks of thousands: '1,234' in column 'a' is 1234"],
    ),
    "thousands among counts": (
        "pmm", 'a,b\n870,2\n"1,070",4\n"1,000",3\n', {}, "a b", [[870, 2], [1070, 4], [1000, 3]],
        ["marks of thousands: '1,070' in column 'a' is 1070"],
    ),
    "German thousands among counts": ("pmm", "a;b\n870;2\n1.070;4\n", {}, "a b", [[870, 2], [1070, 4]], ["'1.070'"]),
    "byte order mark, trailing empty columns and rows": (
        "gmm",
        "\ufeffa,b,,\r\n1,2,,\r\n5,4,,\r\n,,,\r\n,,,\r\n",
        {},
        "a b",
        [[1, 2], [5, 4]],
        ["2 empty rows"],
    ),
    "UTF-16 with tabs, as Excel's Unicode text": (
        "gmm",
        "a\tb\r\n1\t2\r\n7\t5\r\n".encode("utf-16"),
        {},
        "a b",
        [[1, 2], [7, 5]],
        ["utf-16"],
    ),
    "a hint of the separator in quotation marks": (
        "gmm", '"sep=;"\na;b\n1,5;2\n7;5\n', {}, "a b", [[1.5, 2], [7, 5]], [],
    ),
    "Cyrillic letters of Windows": (
        "gmm", "Рост;Вес\n1,75;70\n1,82;81,5\n".encode("cp1251"), {"encoding": "cp1251"}, "Рост Вес",
        [[1.75, 70], [1.82, 81.5]], [],
    ),
    "Japanese of Windows": (
        "gmm", "身長,体重\n1.75,70\n1.82,81.5\n".encode("shift_jis"), {"encoding": "shift_jis"}, "身長 体重",
        [[1.75, 70], [1.82, 81.5]], ["missing: none"],
    ),
    "letters that nobody sees": (
        "gmm", "a\u200b,\u202ab\u202c\n\ufeff1.5,2\n7\u2060,\u200e5\n", {}, "a b", [[1.5, 2], [7, 5]], [],
    ),
    "money of several countries": (
        "gmm", "a;b;c;d\n1\xa0234,50 ₽;₹ 5,25;Fr. 7,50;R$ 2,00\n2,00 ₽;-₹ 4,75;Fr. 8,00;R$ 9,50\n", {}, "a b c d",
        [[1234.5, 5.25, 7.5, 2], [2, -4.75, 8, 9.5]], ["unit ₽", "(and so in 3 more)"],
    ),
    "thousands as India groups them": (
        "gmm", 'a,b\n"12,34,567",2.5\n"₹ 1,00,000.50",3\n"99,999",4\n'.replace("₹ ", ""), {}, "a b",
        [[1234567, 2.5], [100000.5, 3], [99999, 4]], ["marks of thousands: '12,34,567' in column 'a' is 1234567"],
    ),
    "Swiss money, whose blanks are not what separates the cells": (
        "gmm", "a;b\n1'234.5;CHF 2'000.50\n3;CHF 9.00\n", {}, "a b", [[1234.5, 2000.5], [3, 9]],
        ["unit CHF"],
    ),
    "digits and marks of Japan's and of Arabic letters": (
        "gmm", "a,b\n１６６．５,١٢٫٥\n－３,٧\n", {}, "a b", [[166.5, 12.5], [-3, 7]], ["missing: none"],
    ),
    "a missing mark among numbers with a unit": (
        "gmm", "a,b\n6.5%,1\n#NULL!,2\n7.5%,4\n", {}, "a b", [[6.5, 1], [NAN, 2], [7.5, 4]], ["unit %", "1 #NULL!"],
    ),
    "numbers of more digits than a float has": (
        "gmm", "tweet,x\n1234567890123456789,1.5\n1234567890123456999,2\n1234567890123456789,9\n", {}, "x",
        [[1.5], [2], [9]], ["left out: column 'tweet' (labels of more digits than a number keeps)"],
    ),
    "numbers whose name ends as Nr does": (
        "gmm", "Matrikelnr,SNR,x\n3071,4,1.5\n3029,4,2\n3014,7,9\n", {}, "SNR x", [[4, 1.5], [4, 2], [7, 9]],
        ["left out: column 'Matrikelnr' (labels, each once)"],
    ),
    "a table of frequencies with percentages": (
        "gmm", "x,Percent,count,Cumulative\n1.5,16.7,1,16.7\n2,50.0,3,66.7\n9,33.3,2,100.0\n", {}, "x",
        [[1.5], [2], [2], [2], [9], [9]],
        ["'Percent' (proportional to the frequencies)", "'Cumulative' (cumulative frequencies)", "of 6 samples"],
    ),
    "a feature that rises as rows do, beside equal frequencies": (
        "gmm", "x,count\n2.5,1\n5,1\n7.5,1\n", {}, "x", [[2.5], [5], [7.5]], ["of 3 samples"],
    ),
    "answers that are called total": (
        "bmm", "response,x\ntotal,1\ntotal,0\npartial,1\ntotal,1\n", {}, "response x",
        [[1, 1], [1, 0], [0, 1], [1, 1]], ["response: total is 1"],
    ),
    "yes and no of other languages": (
        "bmm", "a;b;c;d;e\nいいえ;ναι;nu;○;Checked\nはい;όχι;da;×;Unchecked\n", {}, "a b c d e",
        [[0, 1, 0, 1, 1], [1, 0, 1, 0, 0]],
        ["a: はい is 1", "c: da is 1"],
    ),
    "inches": ("gmm", 'a,b\n5.5",70\n7",81.5\n', {}, "a b", [[5.5, 70], [7, 81.5]], ['unit " removed from']),
    "true and false of spreadsheets in other languages": (
        "bmm", "a;b;c\nИСТИНА;нет;✓\nЛОЖЬ;да;✗\n", {}, "a b c", [[1, 0, 1], [0, 1, 0]], ["a: ИСТИНА is 1", "c: ✓ is 1"],
    ),
    "an empty cell of MySQL": ("gmm", "a,b\n1,\\N\n2.5,3\n7,5\n", {}, "a b", [[1, NAN], [2.5, 3], [7, 5]], ["1 \\N"]),
    "headings among the rows": (
        "gmm", "item,a,b\nFruit,,\npear,1.5,2\nkale,7,5\n", {"index": "item"}, "a b", [[NAN, NAN], [1.5, 2], [7, 5]],
        ["without an observed feature: 1 row, the first in line 2; delete them if they are headings"],
    ),
    "units behind or before each number": (
        "gmm",
        "a;b;c\n2\u202f403,5 kg;EUR 3.593,92;1,5 E+03\n65,2 kg;EUR 24,00;2 E+02\n",
        {},
        "a b c",
        [[2403.5, 3593.92, 1500], [65.2, 24, 200]],
        ["unit kg removed from the numbers of column 'a'", "unit EUR"],
    ),
    "accounts: a minus behind, a dash for 0, parentheses": (
        "gmm",
        "a;b\n862,69-;$ -\n3,50;$ (4,25)\n",
        {},
        "a b",
        [[-862.69, 0], [3.5, -4.25]],
        ["'862,69-' in column 'a' is -862.69", "'$ -' in column 'b' is 0; --missing '$ -' makes it missing"],
    ),
    "accounts: a dash for nothing, as the note says": (
        "gmm", "a;b\n3;$ -\n7;$ 4\n7;$ 5\n", {"missing": "$ -"}, "a b", [[3, NAN], [7, 4], [7, 5]], ["1 $ -"],
    ),
    "one column of decimal commas and no header": (
        "gmm",
        "24,03\n27,65\n31,70\n",
        {},
        "x0",
        [[24.03], [27.65], [31.7]],
        ["decimal comma: '24,03' in column 'x0'"],
    ),
    "two columns of whole numbers and no header": (
        "gmm", "1,0\n0,1\n1,1\n0,0\n", {}, "x0 x1", [[1, 0], [0, 1], [1, 1], [0, 0]], ["no header"],
    ),
    "whole numbers and percentages without a header": (
        "pmm", "24,5%\n7,0%\n9,8%\n", {}, "x0 x1", [[24, 5], [7, 0], [9, 8]], ["unit %"],
    ),
    "one column of percentages": ("gmm", "Quote\n5,7 %\n6,0 %\n", {}, "Quote", [[5.7], [6]], ["unit %"]),
    "an old Mac's lines and letters": (
        "gmm",
        "Länge\r1.5\r2.5\r".encode("mac_roman"),
        {},
        "Länge",
        [[1.5], [2.5]],
        ["mac_roman (a guess: if letters are wrong, name it by --encoding, or save the file as CSV UTF-8)"],
    ),
    "packed by gzip": ("gmm", gzip.compress(b"a,b\n1,2.5\n3,4\n"), {}, "a b", [[1, 2.5], [3, 4]], []),
    "codes that Excel keeps as text": (
        "gmm",
        'code,x\n"=""0042""",1.5\n"=""0007""",2\n',
        {"index": "code"},
        "x",
        [[1.5], [2]],
        ["labels of rows: column 'code'"],
    ),
    "an answer alone in the last row, which others gave too": (
        "bmm", "a,b\nfully agree,0\nno,1\nfully agree,\n", {}, "a b", [[0, 0], [1, 1], [0, NAN]], ["a: no is 1"],
    ),
    "a state that is called as a deviation is": (
        "gmm", "state,x\nNC,1\nSD,2.5\nTX,3\n", {"index": "state"}, "x", [[1], [2.5], [3]], ["labels of rows"],
    ),
    "a deviation, or a state, beside unnamed labels": (
        "gmm", ",x\nNC,1\nSD,2.5\nTX,3\n", {}, "x", [[1], [2.5], [3]], ["line 3, column 'column 1': 'SD' is read as"],
    ),
    "labels that are called as means are": (
        "gmm",
        "what,x\nmean,1\nmedian,2.5\nvariance,9\n",
        {"index": "what"},
        "x",
        [[1], [2.5], [9]],
        ["line 3, column 'what': 'median' is read as a sample; delete the line if it is a note or a summary of"],
    ),
    "a person who was not measured": (
        "gmm", "name,x\nAnn Lee,1\nBo Li,\nCy Wu,2.5\n", {"index": "name"}, "x", [[1], [NAN], [2.5]],
        ["line 3: 'Bo Li' is read as a sample; delete the line if it is a note"],
    ),
    "an answer alone, with NA written": (
        "bmm", "a,b\nso so,NA\nno,0\nno,1\nno,0\n", {}, "a b", [[1, NAN], [0, 0], [0, 1], [0, 0]], ["so so is 1"],
    ),
    "a hint of a separator that is not there": ("gmm", "sep=,\na;b\n1;2\n7;5\n", {}, "a b", [[1, 2], [7, 5]], []),
    "numbers of orders and places": (
        "gmm",
        "Order Number,Kundennummer,PLZ,x\n70,9,10115,1.5\n30,4,80331,2\n80,5,50667,9\n",
        {},
        "x",
        [[1.5], [2], [9]],
        ["left out: column 'Order Number' (labels", "column 'Kundennummer' (labels", "column 'PLZ' (labels"],
    ),
    "rupees and a ratio, whose names end as those of numbers do": (
        "gmm", "price INR,SNR,kundenNr\n70,9,5\n30,4,6\n80,5,9\n", {}, "price INR|SNR", [[70, 9], [30, 4], [80, 5]],
        ["left out: column 'kundenNr' (labels"],
    ),
    "rupees that are repeated": ("gmm", "INR,x\n70,1\n70,2.5\n", {}, "INR x", [[70, 1], [70, 2.5]], []),
    "a constant and a sum": (
        "gmm",
        "a,b,total,version\n1,2.5,3.5,2\n3,4,7,2\n5,1,6,2\n2,2,4,2\n7,3,10,2\n",
        {},
        "a b total version",
        [[1, 2.5, 3.5, 2], [3, 4, 7, 2], [5, 1, 6, 2], [2, 2, 4, 2], [7, 3, 10, 2]],
        [
            "column 'total' is a sum or other linear combination of the others; --drop total",
            "column 'version' is 2 in every row; --drop version",
        ],
    ),
    "a constant and a sum beside missing cells": (
        "gmm",
        "a,b,c,d\n1,3,4,7\n2,4,6,7\n1,9,10,7\n3,2,5,7\n2,7,9,7\n7,1,,\n",
        {},
        "a b c d",
        [[1, 3, 4, 7], [2, 4, 6, 7], [1, 9, 10, 7], [3, 2, 5, 7], [2, 7, 9, 7], [7, 1, NAN, NAN]],
        [
            "is a sum or other linear combination of the others in the rows without missing cells; --drop c",
            "column 'd' is 7 in every observed cell; --drop d",
        ],
    ),
    "one value above the last row, without a warning": (
        "gmm", "x,y\n1.5,\n2,\n3,\n4,7\n", {}, "x y", [[1.5, NAN], [2, NAN], [3, NAN], [4, 7]], [],
    ),
    "numbers whose squares fit no float, without a warning": (
        "gmm",
        "x,y\n" + "1.5e308,1.5\n-1e200,7\n1.7e308,3.5\n1e308,0.5\n" * 3,
        {},
        "x y",
        [[1.5e308, 1.5], [-1e200, 7], [1.7e308, 3.5], [1e308, 0.5]] * 3,
        [],
    ),
    "a dash among numbers with a unit": (
        "gmm", "a,b\n12 kg,1\n-,3\n14 kg,7\n", {}, "a b", [[12, 1], [NAN, 3], [14, 7]], ["1 -)", "unit kg"],
    ),
    "numbers with a unit are words among answers": (
        "bmm", "a,b\n1 dose,5ft\n2 dose,6ft\n2 dose,\n", {}, "a b", [[0, 0], [1, 1], [1, NAN]], ["5ft is 0"],
    ),
    "percent and yen before the number, a yen as old Japanese encodings have it": (
        "gmm", "a,b,c\n%20,\\900.5,￥7\n%8,\\750,￥9\n%10,\\80,￥4\n", {}, "a b c",
        [[20, 900.5, 7], [8, 750, 9], [10, 80, 4]], ["unit % removed from"],
    ),
    "numbers with a unit among trials": (
        "bmm", "a,b\n2 x,1\n3 x,1\n0 x,2\n", {"n_trials": 3}, "a b", [[2, 1], [3, 1], [0, 2]], ["unit x removed from"],
    ),
    "R's write.csv with row names": (
        "gmm",
        '"","x","y"\n"1",1.5,2\n"2",NA,3\n"4",2.5,9\n',
        {},
        "x y",
        [[1.5, 2], [NAN, 3], [2.5, 9]],
        ["left out: the unnamed first column", "1 NA), by column: x 1"],
    ),
    "R's write.table: one name fewer than columns": (
        "gmm",
        '"x" "y"\n"Mazda RX4" 21 6.5\n"Datsun 710" 22.8 4\n',
        {},
        "x y",
        [[21, 6.5], [22.8, 4]],
        ["left out: the unnamed first column"],
    ),
    "pandas' to_csv with its index": (
        "gmm",
        ",x,y\n0,1.5,2\n1,2.5,3\n2,0.5,9\n",
        {},
        "x y",
        [[1.5, 2], [2.5, 3], [0.5, 9]],
        ["--columns 'column 1,x,y' keeps it"],
    ),
    "pandas' to_csv of an array": (
        "gmm",
        ",0,1,2\n0,1.5,2,7\n1,2.5,3,8\n2,0.5,9,8\n",
        {},
        "0 1 2",
        [[1.5, 2, 7], [2.5, 3, 8], [0.5, 9, 8]],
        [],
    ),
    "names of several lines": (
        "gmm", '"height\n(cm)",b\n1.5,2\n7,5\n', {}, "height (cm)|b", [[1.5, 2], [7, 5]], [],
    ),
    "a person who is called as standard errors are": (
        "gmm", ",x\nAnn,1\nSem,2.5\nEve,3\n", {}, "x", [[1], [2.5], [3]], ["'Sem' is read as a sample"],
    ),
    "a person who is called as an extreme is": (
        "gmm", "who,x\nAnn,1\nMax,2.5\nEve,3\n", {"index": "who"}, "x", [[1], [2.5], [3]], ["'Max' is read as"],
    ),
    "a mark of two lines": (
        "gmm", 'a,b\n"n\nd",2\n7,5\n9,1\n', {"missing": '"n\nd"'}, "a b", [[NAN, 2], [7, 5], [9, 1]], ["missing: 1"],
    ),
    "an index saved twice": (
        "gmm",
        "Unnamed: 0,x\n0,1.5\n1,2.5\n2,0.5\n",
        {},
        "x",
        [[1.5], [2.5], [0.5]],
        ["left out: the unnamed first column"],
    ),
    "row numbers in any order": (
        "gmm",
        "x,id\n1.5,3\n2.5,1\n0.5,2\n",
        {},
        "x",
        [[1.5], [2.5], [0.5]],
        ["left out: column 'id' (it numbers the rows, 1 to 3); --columns id,x keeps it"],
    ),
    "row numbers that are asked for": (
        "gmm", "id,x\n1,5\n2,5\n3,7\n", {"columns": "id,x"}, "id x", [[1, 5], [2, 5], [3, 7]], [],
    ),
    "whole numbers 1 to n as the only column": ("gmm", "x\n2\n1\n3\n", {}, "x", [[2], [1], [3]], []),
    "labels called id": (
        "gmm", "id,x\n101,5\n77,5\n300,7\n", {}, "x", [[5], [5], [7]], ["left out: column 'id' (labels"],
    ),
    "labels of words, which no option makes a feature": (
        "gmm", "sample,id,x\nS1,A7,5\nS2,B7,5\nS3,C9,7\n", {}, "x", [[5], [5], [7]],
        ["'sample' (labels, each once); it labels the rows", "'id' (labels, each once); --index id keeps it as labels"],
    ),
    "years beside counts": (
        "pmm",
        "year,count\n1900,13\n1901,14\n1902,8\n",
        {},
        "count",
        [[13], [14], [8]],
        ["left out: column 'year'", "column 'count' is the feature, because there is no other"],
    ),
    "values and how often they were seen": (
        "pmm", "x,count\n0,2\n1,1\n2,1\n", {}, "x", [[0], [0], [1], [2]], ["weights: column 'count'"],
    ),
    "Count in any case": (
        "bmm", "a,b,Count\n0,1,2\n1,1,1\n", {}, "a b", [[0, 1], [0, 1], [1, 1]], ["frequencies of 3 samples"],
    ),
    "a count in a file of one column": ("pmm", "count\n1\n5\n5\n", {}, "count", [[1], [5], [5]], ["is the feature"]),
    "weights that are asked for": (
        "bmm", "a,b,n\n0,1,2\n1,1,1\n", {"weights": "n"}, "a b", [[0, 1], [0, 1], [1, 1]], ["column 'n'"],
    ),
    "weights of persons are no frequencies": (
        "gmm",
        "weight,height\n70.5,1.8\n80,1.7\n65,1.75\n",
        {},
        "weight height",
        [[70.5, 1.8], [80, 1.7], [65, 1.75]],
        [],
    ),
    "all marks of missing cells": (
        "gmm",
        "a,b\n,1\nNA,2.5\nN/A,1\n#N/A,4\nnan,1\nNaN,1\nNULL,1\nnull,1\nNone,1\n.,1\n?,1\n-,1\n7,1\n2,3\n",
        {},
        "a b",
        [[NAN, v] for v in [1, 2.5, 1, 4, 1, 1, 1, 1, 1, 1, 1, 1]] + [[7, 1], [2, 3]],
        ["missing: 12 of 28 cells", "1 empty", "1 N/A", "1 ?"],
    ),
    "a mark of one's own, as a number": (
        "gmm", "a,b\n-999.0,1\n3,1\n7,-999\n", {"missing": -999}, "a b", [[NAN, 1], [3, 1], [7, NAN]], [],
    ),
    "a mark of one's own, as a word": (
        "gmm", "a,b\nn.d.,1\n3,1\n7,2\n", {"missing": "n.d."}, "a b", [[NAN, 1], [3, 1], [7, 2]], ["1 n.d."],
    ),
    "a number far from all others is asked about": (
        "gmm",
        "a,b\n3,1\n4.5,-999\n7,1.5\n7,2\n",
        {},
        "a b",
        [[3, 1], [4.5, -999], [7, 1.5], [7, 2]],
        ["column 'b' holds -999: is it a mark of missing cells? Then --missing -999"],
    ),
    "codes of a questionnaire are asked about": (
        "gmm",
        "a,b\n3,1\n4.5,99\n7,2\n7,88\n7,5\n",
        {},
        "a b",
        [[3, 1], [4.5, 99], [7, 2], [7, 88], [7, 5]],
        ["column 'b' holds 88 and 99: are these marks of missing cells? Then --missing 88,99"],
    ),
    "yes and no": (
        "bmm", "a,b\nyes,No\nno,YES\n,no\n", {}, "a b", [[1, 0], [0, 1], [NAN, 0]],
        ["a: yes is 1, no is 0; b: YES is 1, No is 0"],
    ),
    "words of two kinds in several columns": (
        "bmm", "a,b\nyes,no\nno,yes\nyes,no\n", {}, "a b", [[1, 0], [0, 1], [1, 0]], ["a, b: yes is 1, no is 0"],
    ),
    "true and false": ("bmm", "a,b\nTRUE,F\nFALSE,T\n", {}, "a b", [[1, 0], [0, 1]], ["a: TRUE is 1, FALSE is 0"]),
    "ja and nein": ("bmm", "a;b\nja;nein\nnein;nein\nja;ja\n", {}, "a b", [[1, 0], [0, 0], [1, 1]], []),
    "two words in any case": (
        "gmm", "sex,x\nMale,1\nfemale,5\nmale ,5\n", {}, "sex x", [[1, 1], [0, 5], [1, 5]], ["Male is 1"],
    ),
    "two words": (
        "gmm", "sex,x\nmale,1\nfemale,5\nmale,5\n", {}, "sex x", [[1, 1], [0, 5], [1, 5]],
        ["sex: male is 1, female is 0"],
    ),
    "a word that may mark missing cells, beside one other": (
        "bmm", "a,b\nfound,1\nnd,0\nfound,0\n", {}, "a b", [[0, 1], [1, 0], [0, 0]],
        ["nd is 1, found is 0 (missing? Then --missing nd)"],
    ),
    "plus and minus are words": (
        "bmm", "a,b\n+,-\n-,-\n+,+\n", {}, "a b", [[1, 0], [0, 0], [1, 1]], ["--missing - makes it missing"],
    ),
    "percent and currency": (
        "gmm", 'a,b\n45%,"$1,234.50"\n50%,$20.00\n', {}, "a b", [[45, 1234.5], [50, 20]], ["unit %", "unit $"],
    ),
    "no header": (
        "gmm", "1.5,2\n3,4\n", {}, "x0 x1", [[1.5, 2], [3, 4]],
        ["no header: line 1 is data; the columns are called x0, x1"],
    ),
    "no header, an empty first cell": (
        "gmm", ",2.5\n3,4\n7,7\n", {}, "x0 x1", [[NAN, 2.5], [3, 4], [7, 7]], ["no header"],
    ),
    "blank lines and blanks about cells": ("gmm", "\n a , b \n\n 1 , 2\n\n7,5 \n", {}, "a b", [[1, 2], [7, 5]], []),
    "numbers in quotes, a name with a comma": (
        "gmm", '"a,1","b"\n"1.5","2"\n"7","5"\n', {}, "a,1|b", [[1.5, 2], [7, 5]], [],
    ),
    "single quotes": ("gmm", "'a';'b'\n'1,5';'2'\n'7,5';'5'\n", {}, "a b", [[1.5, 2], [7.5, 5]], []),
    "pipes": ("gmm", "a|b\n1|2\n7|5\n", {}, "a b", [[1, 2], [7, 5]], []),
    "columns of blanks that are aligned": (
        "gmm", "  a    b\n 1.5  2\n10.5  5\n", {}, "a b", [[1.5, 2], [10.5, 5]], [],
    ),
    "old Macintosh line ends": ("gmm", "a,b\r1,2\r7,5\r", {}, "a b", [[1, 2], [7, 5]], []),
    "a single column with decimal commas": (
        "gmm", "x\n1,5\n2,5\n7,25\n", {}, "x", [[1.5], [2.5], [7.25]], ["decimal comma"],
    ),
    "three decimals under commas": ("gmm", "a,b\n1.234,2\n3.456,7\n", {}, "a b", [[1.234, 2], [3.456, 7]], []),
    "a doubtful mark that was asked about": (
        "gmm", "a;b\n1.234;2\n3.456;7\n", {"decimal": ","}, "a b", [[1234, 2], [3456, 7]], [],
    ),
    "a doubtful mark that is usual beside semicolons": (
        "gmm", "a;b\n1,234;2\n3,456;7\n", {}, "a b", [[1.234, 2], [3.456, 7]],
        ["'1,234' in column 'a' is 1.234; by --decimal . it is 1234"],
    ),
    "columns in the order asked": (
        "gmm", "a,b,c\n1,5,x\n9,5,y\n", {"columns": ["b", "a"]}, "b a", [[5, 1], [5, 9]],
        ["not among --columns: c"],
    ),
    "columns that are dropped": (
        "gmm", "a,name,c\n1,Ann,5\n9,Bob,5\n", {"drop": "name"}, "a c", [[1, 5], [9, 5]],
        ["left out, as asked: name"],
    ),
    "labels called respondent": ("gmm", "respondent,x\n1001,5\n1005,5\n1010,7\n", {}, "x", [[5], [5], [7]], ["labels"]),
    "a run of years first": ("gmm", "Year,x\n2000,5\n2001,5\n2002,7\n", {}, "x", [[5], [5], [7]], ["2000 to 2002"]),
    "a run that is a feature": ("gmm", "x,y\n0.5,10\n2,11\n3,12\n", {}, "x y", [[0.5, 10], [2, 11], [3, 12]], []),
    "an accountant's negatives": (
        "gmm", 'a,b\n"(1,200.50)", - \n"3,400.00","1.5"\n', {}, "a b", [[-1200.5, NAN], [3400, 1.5]],
        ["negative: '(1,200.50)' in column 'a' is -1200.5"],
    ),
    "yes, no and a dash": ("bmm", "a,b\nyes,0\n-,1\nno,1\n", {}, "a b", [[1, 0], [NAN, 1], [0, 1]], ["1 -"]),
    "Fortran's exponents": (
        "gmm", "a b\n 1.0E+00 2.5D+01\n 2.0E+00 3.5D+01\n", {}, "a b", [[1, 25], [2, 35]],
        ["exponent: '2.5D+01' in column 'b' is 25"],
    ),
    "three decimals in a single column": (
        "gmm", "a\n1.000\n2.500\n", {}, "a", [[1], [2.5]], ["'1.000' in column 'a' is 1"],
    ),
    "the end mark of DOS": ("gmm", "a,b\n1,2\n7,5\n\x1a", {}, "a b", [[1, 2], [7, 5]], []),
    "a single name with a comma": ("gmm", '"height, cm"\n1.5\n2.5\n', {}, "height, cm|", [[1.5], [2.5]], []),
    "a column for each year": (
        "gmm", "country,2019,2020,2021\nDE,2.5,3,7\nFR,4,5,9\n", {"index": "country"}, "2019 2020 2021",
        [[2.5, 3, 7], [4, 5, 9]], [],
    ),
    "light weights beside a height": (
        "gmm", "weight,height\n0.8,150\n1.25,162\n", {}, "weight height", [[0.8, 150], [1.25, 162]],
        ["column 'weight' is read as a feature"],
    ),
    "weights of a survey": (
        "gmm", "a,survey_wt\n1,0.5\n7,1.25\n", {}, "a survey_wt", [[1, 0.5], [7, 1.25]],
        ["'survey_wt' is read as a feature, because frequencies are whole numbers; --drop survey_wt leaves it out"],
    ),
    "numbers that are codes and ranks": (
        "gmm", "icd,rank,x\n250,1,1.5\n401,2,2\n715,2,9\n401,4,4\n", {}, "icd rank x",
        [[250, 1, 1.5], [401, 2, 2], [715, 2, 9], [401, 4, 4]],
        ["read as amounts: icd, rank; --drop icd,rank if these numbers are names or ranks"],
    ),
    "marks with decimals": (
        "gmm", "a,b\n1,-99.9\n2,4\n9,5\n", {}, "a b", [[1, -99.9], [2, 4], [9, 5]],
        ["column 'b' holds -99.9: is it a mark of missing cells? Then --missing -99.9"],
    ),
    "marks that are the only numbers below 0": (
        "gmm", "a,b\n25000,-1\n-999,4\n81000,9\n42000,-1\n", {}, "a b",
        [[25000, -1], [-999, 4], [81000, 9], [42000, -1]],
        ["column 'a' holds -999: is it a mark of", "column 'b' holds -1: is it a mark of missing cells? Then"],
    ),
    "codes that look like exponents": (
        "gmm", "a,b\n1E5,1.5\n2E1,2\n", {}, "a b", [[100000, 1.5], [20, 2]],
        ["exponent: '1E5' in column 'a' is 100000"],
    ),
    "a zero far from all others, and one value only": (
        "gmm", "born,b\n1950,1\n0,1\n1985,1\n", {}, "born b", [[1950, 1], [0, 1], [1985, 1]],
        ["column 'born' holds 0: is it a mark of missing cells? Then --missing 0", "column 'b' is 1 in every row"],
    ),
    "a sum of counts": (
        "pmm", "a,b,all\n1,2,3\n4,1,5\n0,7,7\n2,2,4\n", {}, "a b all", [[1, 2, 3], [4, 1, 5], [0, 7, 7], [2, 2, 4]],
        ["column 'all' is a sum or other linear combination of the others; --drop all"],
    ),
    "empty cells where nobody said yes": (
        "bmm", "a,b\n1,\n,0\n1,1\n", {}, "a b", [[1, NAN], [NAN, 0], [1, 1]],
        ["no 0, but empty cells or dashes: a; write 0 if"],
    ),
    "means of whole numbers below an empty row": (
        "gmm", "a,b\n1,2\n3,7\n5,6\n,\n3,5\n", {}, "a b", [[1, 2], [3, 7], [5, 6], [3, 5]],
        ["below an empty row: line 6; delete lines that summarise others"],
    ),
    "a column of units": (
        "gmm", "x,unit\n1,kg\n800,g\n3,t\n", {"drop": "unit"}, "x", [[1], [800], [3]],
        ["column 'unit' names several units (g, kg, t): write all numbers in one"],
    ),
    "rows pasted twice": (
        "gmm", "a,b\n1,2\n3,7\n1,2\n3,7\n", {}, "a b", [[1, 2], [3, 7], [1, 2], [3, 7]],
        ["the lower half of the rows repeats the upper"],
    ),
    "decimal years and days of a trial": (
        "gmm", "date,day\n2012.917,101\n2012.083,103\n2013.5,106\n", {}, "date day",
        [[2012.917, 101], [2012.083, 103], [2013.5, 106]], [],
    ),
    "a minus as it is printed": ("gmm", "a;b\n–1,5;2\n7;–5\n", {}, "a b", [[-1.5, 2], [7, -5]], []),
    "Unicode minus and signs": ("gmm", "a,b\n\u22121.5,+2\n7,5\n", {}, "a b", [[-1.5, 2], [7, 5]], []),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_a_file_is_read_to_its_numbers(written, kind):
    family, content, options, names, rows, said = READ[kind]
    dataset = read(written(content), family, **options)
    assert dataset.feature_names == tuple(names.strip("|").split("|") if "|" in names else names.split())
    np.testing.assert_array_equal(dataset.X, np.array(rows, dtype=float))
    lines = "\n".join(dataset.notes)
    assert lines.startswith("Read mine.csv: ")
    for words in said:
        assert words in lines, lines


def test_a_data_set_says_what_it_is_in_a_line_and_is_a_frame(written):
    dataset = read(written("who;a;count\nx;1,5;2\ny;7,25;1\n"), "gmm", index="who")
    assert repr(dataset) == "Dataset mine (gmm): 3 samples of 1 feature: a"
    frame = dataset.to_frame()
    assert frame["a"].to_dict() == {"x": 1.5, "y": 7.25}
    assert frame.index.tolist() == ["x", "x", "y"]
    answers = read(written("a,b\nu,1\nv,2\n"), "cmm").to_frame()
    assert answers["a"].tolist() == ["u", "v"]


def test_levels_are_taken_by_a_categorical_mixture(written):
    file = written("hair,age,smokes,pain\nBrown,3,yes,None\nBlond,1,no,mild\nBrown,3,no,None\n,1,yes,mild\n")
    dataset = read(file, "cmm")
    problem = prepare(dataset.X, "cmm", 1, feature_names=dataset.feature_names)
    expected = [[1, 1, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0], [NAN, 0, 1, 1]]
    np.testing.assert_array_equal(problem.X, expected)
    assert "levels: hair: Blond, Brown; age: 1, 3; smokes: no, yes; pain: None, mild" in dataset.notes
    assert any("'None' in column 'pain' is a word like the others" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("rows", "columns"), [("alta,m\nbaja,f\nmedia,f\n", None), ("alta,1\nbaja,2\nmedia,1\n", "nivel,b")]
)
def test_a_level_may_be_called_as_a_mean_is(written, rows, columns):
    dataset = read(written(f"nivel,b\n{rows}"), "cmm", columns=columns)
    assert dataset.X["nivel"].tolist() == ["alta", "baja", "media"]


def test_a_second_header_of_words_is_asked_about(written):
    notes = "\n".join(read(written("a,b\nHow?,What?\nu,v\nu,w\nx,v\nx,w\n"), "cmm").notes)
    assert "line 2: no other row has these levels; delete it if it is a second header" in notes


def test_labels_keep_digits_that_no_float_has(written):
    file = written("tweet,x\n1234567890123456789,3\n1234567890123456790,1.5\n1234567890123456791,9\n")
    assert read(file, "gmm").row_labels == ("1234567890123456789", "1234567890123456790", "1234567890123456791")


def test_several_answers_in_a_cell_are_asked_about(written):
    notes = "\n".join(read(written("a;b\nR, C;u\nC;v\nR, C;v\n"), "cmm").notes)
    assert "a: C, 'R, C' (several answers in a cell? Then write a column of yes and no for each); b: u, v" in notes


def test_codes_and_dates_among_levels_are_asked_about(written):
    gene = ["TP53", "2-Sep", "BRCA1", "TP53"]
    rows = "".join(f"{name},{score}\n" for name, score in zip(gene, [1, 2, 99, 2], strict=True))
    notes = read(written(f"gene,score\n{rows}"), "cmm").notes
    assert "column 'score' holds 99: is it a mark of missing cells? Then --missing 99" in notes
    assert any("(did a spreadsheet make a date of '2-Sep'?)" in note for note in notes)


def test_numbers_with_a_unit_are_levels(written):
    X = read(written("a,b,c\n0.5 mg,1a,1a\n1 mg,2a,-\n1 mg,1a,2a\n"), "cmm").X
    assert X["a"].cat.categories.tolist() == ["0.5 mg", "1 mg"]
    assert X["b"].tolist() == ["1a", "2a", "1a"]
    assert X["c"].cat.categories.tolist() == ["-", "1a", "2a"]


def test_parquet_keeps_categories_types_and_labels(tmp_path):
    frame = pd.DataFrame(
        {
            "size": pd.Categorical(["small", "large", "small"], ["small", "medium", "large"], ordered=True),
            "old": [True, False, True],
            "n_children": pd.array([1, None, 2], dtype="Int64"),
        },
        index=["u", "v", "w"],
    )
    frame.to_parquet(tmp_path / "mine.parquet")
    levels = read(tmp_path / "mine.parquet", "cmm")
    problem = prepare(levels.X, "cmm", 1, feature_names=levels.feature_names)
    np.testing.assert_array_equal(problem.X, [[0, 1, 0], [2, 0, NAN], [0, 1, 1]])
    assert problem.family.levels == (3, 2, 2)
    numbers = read(tmp_path / "mine.parquet", "gmm", drop="size")
    np.testing.assert_array_equal(numbers.X, [[1, 1], [0, NAN], [1, 2]])
    assert levels.row_labels == numbers.row_labels == ("u", "v", "w")
    with pytest.raises(ValueError, match="column 'size' holds words"):
        read(tmp_path / "mine.parquet", "gmm")
    frame.assign(day=pd.Timestamp("2020-01-01"), wait=pd.Timedelta("1h")).to_parquet(tmp_path / "days.parquet")
    with pytest.raises(
        ValueError, match=r"column 'day' holds dates.*column 'wait' holds dates or times.*--drop day,wait"
    ):
        read(tmp_path / "days.parquet", "gmm", drop="size")


def test_a_packed_file_is_called_by_its_name_alone(written):
    assert read(written(gzip.compress(b"a,b\n1,2\n7,5\n"), "mine.csv.gz"), "gmm").name == "mine"


def test_answers_that_are_called_as_sums_are_take_time_by_rows_alone(written):
    file = written("a,b\n" + "total,u\npart,v\n" * 15_000)
    start = time.process_time()
    assert len(read(file, "cmm").X) == 30_000
    assert time.process_time() - start < 3


def test_a_total_of_something_is_a_sample_where_its_column_is_named(written):
    file = written("cereal,sugar,fat\nBran,6.5,1\nTotal Corn Flakes,3,1.5\nOats,1,2.5\nWheat,2,1\n")
    with pytest.raises(ValueError, match=r"line 3, column 'cereal': 'Total Corn Flakes' begins .*--index cereal"):
        read(file, "gmm")
    dataset = read(file, "gmm", index="cereal")
    assert dataset.row_labels == ("Bran", "Total Corn Flakes", "Oats", "Wheat")
    assert (
        "'Total Corn Flakes' is read as a sample; delete the line if it is a note or a summary of other lines"
        in dataset.notes[-1]
    )


def test_cells_that_list_many_numbers_are_refused_at_once_and_shown_in_part(written):
    """As the pixels of pictures are; to look for a number in such a cell took time by the square of its length."""
    pixels = " ".join(str(100 + d % 150) for d in range(2304))
    file = written("a,pixels\n" + "".join(f"{i % 7}.5,{i} {pixels}\n" for i in range(20)))
    start = time.process_time()
    with pytest.raises(ValueError, match="column 'pixels' holds free text") as refusal:
        read(file, "gmm")
    assert time.process_time() - start < 5
    assert len(str(refusal.value)) < 500


def test_numbers_of_parquet_keep_their_digits(tmp_path):
    labels = [1234567890123456789, 1234567890123456790, 1234567890123456791]
    pd.DataFrame({"tweet": labels, "a": [1.5, NAN, -999], "b": [3, -999, 7]}).to_parquet(tmp_path / "mine.parquet")
    dataset = read(tmp_path / "mine.parquet", "gmm", missing="-999")
    np.testing.assert_array_equal(dataset.X, [[1.5, 3], [NAN, NAN], [NAN, 7]])
    assert dataset.row_labels == tuple(map(str, labels))
    assert "missing: 3 of 6 cells (1 null, 2 -999), by column: a 2, b 1" in dataset.notes


def test_labels_of_rows_are_kept_and_repeated(written):
    dataset = read(written("who,x,count\nAnn,1.5,2\nBob,2.5,1\n"), "gmm", index="who")
    assert dataset.row_labels == ("Ann", "Ann", "Bob")
    assert read(written("id,x\n7,1.5\n3,2\n9,2\n"), "gmm").row_labels == ("7", "3", "9")
    catalogue = "release_id,source_id,x\n" + "".join(f"{4 * 10**18},{3 * 10**18 + i},{i * i % 7}\n" for i in (1, 5, 3))
    assert (
        read(written(catalogue), "gmm").row_labels[0] == "3000000000000000001"
    )  # not that of the release, in all rows


@pytest.mark.parametrize(
    ("name", "stem"), [("m.tsv.gz", "m"), ("m.csv.gz", "m"), ("m.1.csv", "m.1"), ("m.1.gz", "m.1")]
)
def test_a_file_is_called_by_its_name_without_endings(written, name, stem):
    assert read(written("a\tb\n1\t2.5\n3\t4\n", name), "gmm").name == stem


def test_decimals_are_amounts_whatever_their_column_is_called(written):
    file = written("tree,b\n" + "".join(f"{i}.25,{i * i}\n" for i in range(5, 30)) + "-999,3\n")
    X = read(file, "gmm", missing="-999").X
    assert X.shape == (26, 2)
    assert np.isnan(X[-1, 0])


@pytest.mark.parametrize("missing", ["", '""'])
def test_empty_cells_of_a_single_column_are_said(written, missing):
    dataset = read(written(f"a\n1.5\n{missing}\n2.5\n7\n{missing}\n3.25\n\n"), "gmm")
    assert dataset.X.ravel().tolist() == [1.5, 2.5, 7, 3.25]
    assert "file: left out: 2 empty rows" in dataset.notes
    assert not any("empty row" in line for line in read(written("a\n\n1.5\n2.5\n7\n\n\n"), "gmm").notes)


def test_built_in_sets_refuse_what_is_for_files_and_near_names_are_asked_about(tmp_path):
    with pytest.raises(ValueError, match="data 'faithful' are built in, got drop = 'waiting': it is for files"):
        find("faithful", "gmm", drop="waiting")
    with pytest.raises(ValueError, match=r"faithfull, .* does not exist; did you mean faithful\?"):
        find("faithfull", "gmm")
    with pytest.raises(ValueError, match=r"does not exist; did you mean faithful\?"):
        find("faithful.csv", "gmm")
    with pytest.raises(ValueError, match=r"got 'galaxy'; did you mean galaxies\?"):
        load("galaxy")
    (tmp_path / "my_data.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match=r"does not exist; did you mean my_data.csv\?$"):
        find(str(tmp_path / "mydata.csv"), "gmm")
    with pytest.raises(ValueError, match=r"nope.csv.gz does not exist"):
        find(str(tmp_path / "nope.csv.gz"), "gmm")
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path, "gmm")
    assert read_csv is read


FINITE = st.floats(-1e9, 1e9).map(lambda value: round(value, 9))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(FINITE, st.one_of(FINITE, st.just(NAN)), st.booleans()), min_size=2, max_size=8),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    quoting=st.sampled_from([0, 1, 2]),
    index=st.booleans(),
    mark=st.sampled_from(["", "NA", "NULL", "?"]),
)
def test_what_pandas_writes_is_read_back(tmp_path, rows, separator, decimal, encoding, quoting, index, mark):
    """Random frames in random dialects; a half in the first row makes the decimal mark clear."""
    rows = [(0.5, -0.25, True), (1e-3, 2.5, False), *rows]
    frame = pd.DataFrame(rows, columns=["Größe", "b, c", "old"])
    options = {"sep": separator, "decimal": decimal, "encoding": encoding, "quoting": quoting, "index": index}
    frame.to_csv(tmp_path / "mine.csv", na_rep=mark, **options)
    dataset = read(tmp_path / "mine.csv", "gmm")
    assert dataset.feature_names == tuple(frame.columns)
    np.testing.assert_array_equal(dataset.X, frame.to_numpy(dtype=float))


def test_a_command_says_first_what_it_read(written, monkeypatch, tmp_path):
    def stop(problem, bars):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparisons.comparison.steps, "run", stop)
    file = written("id;höhe;typ;n\n1;1,5;ja;2\n2;2,75;nein;1\n3;;ja;1\n4;7,5;ja;2\n")
    arguments = ["--data", str(file), "--drop", "typ", "--weights", "n", "--out", str(tmp_path / "out")]
    result = invoke("gmm", *arguments)
    assert result.exit_code == 130, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines[:3] == [
        "Read mine.csv: 4 rows, 1 feature: höhe",
        "weights: column 'n' holds frequencies of 6 samples",
        "missing: 1 of 4 cells (1 empty), by column: höhe 1",
    ]
    assert "left out: column 'id' (it numbers the rows, 1 to 4); --columns 'id,höhe' keeps it" in lines


@pytest.mark.parametrize("family", ["gmm", "cmm"])
def test_help_lists_the_options_and_the_marks(family):
    shown = " ".join(invoke(family, "--help").output.replace("│", " ").split())
    for word in [
        "--columns",
        "--drop",
        "--weights",
        "--index",
        "--missing",
        "--decimal",
        "NA N/A n.a. k.A. #N/A #NULL! nan NULL",
        ".parquet",
    ]:
        assert word in shown, word
