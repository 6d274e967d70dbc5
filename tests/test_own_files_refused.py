"""Files of one's own that cannot be read are refused with the line, the column and a remedy that works."""

import gzip
import shlex

import pytest
from own_files import invoke, written

from comparisons.data import read

__all__ = ["written"]  # a fixture

# Each: family, content, options, and what the refusal must say.
REFUSED = {
    "a word among numbers": (
        "gmm", "a,b\n1.5,2\n\n3,x1\n4,5\n", {},
        ["line 4: expected a number in column 'b', got 'x1'", "--missing x1", "--drop b"],
    ),
    "an error of a spreadsheet among numbers with a unit": (
        "gmm", "a,b\n1,6.4%\n3,#DIV/0!\n4,5%\n", {}, ["line 3: expected a number in column 'b'", "--missing '#DIV/0!'"],
    ),
    "two amounts in different money": (
        "gmm", "a,b\n1.5,€5\n3,$7\n4,€5\n2,$7\n", {}, ["column 'b' holds numbers with different units", "--drop b"],
    ),
    "yes beside a mark": ("bmm", "a,b\n1,yes\n0,:\n1,:\n", {}, ["column 'b' holds words of 2 kinds", "--drop b"]),
    "yes beside n.a.": ("bmm", "a,b\n1,yes\n0,n.a.\n1,N.A.\n", {}, ["'b' holds nothing but 'yes'", "--drop b"]),
    "a blank in each last cell, which would shift the others": (
        "gmm", "a b c\n180 80 not ok\n170 70 very ok\n180 65 not ok\n", {}, ["line 2: expected 3 cells", "quotation"],
    ),
    "names between blanks alone": ("gmm", "a b c\n", {}, ["has a header but no rows"]),
    "a quotation mark that is not closed, between tabs": (
        "gmm", 'a\tb\n"3 inch\t2.5\n4 inch\t7\n', {}, ["from line 2 on; is a quotation mark not closed?"],
    ),
    "how often words occur, below them": (
        "bmm", "who,a,b\n" + "Ann,TRUE,FALSE\nBob,FALSE,FALSE\nCyd,TRUE,TRUE\n" * 8 + "N. TRUE,16,8\n", {},
        ["line 26, column 'who': 'N. TRUE' begins a row of sums, means or the like: delete it"],
    ),
    "a second header with one word above numbers": (
        "cmm", "a,b\nHow?,Progress\nu,100\nu,100\nv,100\nv,50\n", {},
        ["line 2", "column 'b', got 'Progress'; delete the line if it is a second header: correct it, or --missing"],
    ),
    "subtotals of the same name": (
        "gmm", "what,x,y\nA,1.5,2\nB,2,4\nSubtotal,3.5,6\nC,7,3\nD,8,1\nSubtotal,15,4\n", {"drop": "what"},
        ["line 4", "'Subtotal' begins a row of sums", "and lines like it"],
    ),
    "subtotals with the name of a quarter": (
        "pmm", "week,x\nw1,85\nw2,90\nTotaal K1,175\nw3,77\n" + "w4,71\nw5,62\n" * 9, {"missing": "7"},
        ["line 4", "'Totaal K1' begins a row of sums", "--index week"],
    ),
    "means below levels": (
        "cmm", "a,b,c\n" + "1,2,u\n2,2,v\n3,1,u\n" * 9 + "1.9,1.6,\n", {},
        ["column 'a' holds numbers that cannot be levels", "(1.9 in line 29; delete the line if it holds means)"],
    ),
    "a coefficient of variation below means, in Portuguese": (
        "gmm", "bloco,x,y\n1,1.5,2\n2,4,7\n3,3,3.5\n1,3,7.5\nMédia,2.9,5\nCV (%),31,50\n", {"drop": "x"},
        ["line 6", "'Média' begins a row of sums"],
    ),
    "shares below answers": (
        "bmm", "a,b\n1,0\n0,0\n1,1\n1,1\n0.75,0.5\n", {},
        ["line 6", "column 'a', got 0.75; delete the line if it holds sums or means: correct it, or --missing 0.75"],
    ),
    "means in Swedish": ("cmm", "a,b\nu,2\nv,3\nu,1\nw,3\nMedel,2\n", {}, ["line 6", "'Medel' begins a row of sums"]),
    "two columns that may hold frequencies": (
        "gmm", "x,n,y,weight\n1.5,2,3,4\n4,7,2.5,3\n3,3,1,2\n", {},
        ["'n' may hold frequencies or a feature", "--columns x,n,y for a feature"],
    ),
    "labels of two kinds beside what may be frequencies": (
        "gmm", "patient,x,case_id,n\n5,2.5,8,4\n5,7,8,2\n9,3,4,6\n", {},
        ["'patient' may hold labels", "--columns patient,x takes it"],
    ),
    "a source of two cells below the table": (
        "gmm", "x,y\n1.5,2\n4,7\n3,3.5\nSource: Office,2023\n", {}, ["line 5", "delete the line if it is a note"],
    ),
    "frequencies of values that also number the rows": (
        "pmm", "value,freq\n0,3\n1,8\n2,5\n", {}, ["--weights freq", "--columns freq"],
    ),
    "frequencies in other languages": (
        "gmm", "得点,人数\n2.5,3\n5,8\n7,5\n", {}, ["'人数' may hold frequencies or a feature", "--weights '人数'"],
    ),
    "seconds since some day": ("gmm", "x,ts\n1.5,1700000000\n2,1700000060\n9,1700000090\n", {}, ["'ts' holds dates"]),
    "an error of a spreadsheet": ("gmm", "a,b\n1,2\n3,#DIV/0!\n4,5\n", {}, ["line 3", "'b'", "--missing '#DIV/0!'"]),
    "boxes that are ticked in several columns": (
        "bmm", "a,b,c\nx,,y\n,x,\nx,x,y\n,,\n", {},
        ["'a' holds nothing but 'x' in line 2 and empty cells (", "if these are two answers), likewise b; column 'c'"],
    ),
    "TRUE and FALSE beside 1 and 0": (
        "bmm", "a,b\n1,TRUE\n0,1\n1,FALSE\n0,0\n1,1\n0,0\n", {},
        ["got 'TRUE'; write 0 for false and 1 for true: correct it, or --drop b to leave"],
    ),
    "TRUE beside 1 and 0": ("gmm", "a,b\n1,TRUE\n0,1\n1.5,1\n0,0\n", {}, ["'TRUE'; write 0 for false and 1 for"]),
    "TRUE and FALSE beside a few digits": (
        "bmm", "a,b\n1,TRUE\n0,TRUE\n1,FALSE\n0,1\n0,TRUE\n", {}, ["if these are no answers, else write false or true"],
    ),
    "thousands, or a decimal point, among measurements": (
        "gmm", 'a,b\n870,1\n"1,070",2\n912,4\n', {}, ["line 3, column 'a': '1,070' may be 1070 (--decimal .) or 1.07"],
    ),
    "decimal commas, one of which may be a mark of thousands, among counts": (
        "pmm", "a;b\n1,070;2\n0,930;4\n2;3\n", {}, ["line 2: expected whole numbers of at least 0", "got '1,070'"],
    ),
    "thousands that may be ones": (
        "pmm", 'a,b\n870,1\n"1,000",2\n912,4\n', {}, ["line 3, column 'a': '1,000' may be 1000 (--decimal .) or 1 "],
    ),
    "dates and names": (
        "gmm", "name,born,x\nAnn,2001-02-03,1\nBob,2002-02-03,2\nCyd,2001-05-06,7\n", {},
        [
            "column 'name' holds words of 3 kinds ('Ann' in line 2)",
            "column 'born' holds dates ('2001-02-03' in line 2)",
            "--drop name,born",
        ],
    ),
    "German dates": (
        "bmm", "a;Datum\n0;01.02.2020\n1;02.02.2020\n", {}, ["column 'Datum' holds dates", "--drop Datum"],
    ),
    "days without a year": (
        "gmm", "x,Tag\n1.5,01.02\n2,28.02\n9,14.03\n", {}, ["column 'Tag' holds dates ('01.02' in line 2)"],
    ),
    "dates as numbers": (
        "gmm", "x,day\n1.5,20200131\n2,20200201\n9,20200202\n", {},
        ["column 'day' holds dates (20200131 in line 2)"],
    ),
    "times": ("gmm", "x,t\n1.5,10:30\n2,11:45\n9,12:00\n", {}, ["column 't' holds dates"]),
    "words of several kinds": (
        "gmm", "x,eye\n1.5,blue\n2,brown\n9,green\n", {},
        ["column 'eye' holds words of 3 kinds", "comparisons.cmm takes"],
    ),
    "words of several kinds in every column": (
        "bmm", "who,a,b\nAnn,yes,no\nBob,maybe,yes\nCyd,no,maybe\nDon,no,maybe\n", {},
        ["as 0 and 1: --index who keeps 'who' as labels of the rows; python -m comparisons.cmm takes words"],
    ),
    "one word only": (
        "gmm", "x,country\n1.5,DE\n2,DE\n9,DE\n", {}, ["column 'country' holds nothing but 'DE'", "--drop country"],
    ),
    "codes with leading zeros": ("gmm", "x,ward\n1.5,01234\n2,99999\n9,04532\n", {}, ["'ward' holds words", "--drop"]),
    "halves among counts": (
        "pmm", "a,b\n1,2\n3,2.5\n", {}, ["line 3: expected whole numbers of at least 0 in column 'b', got 2.5"],
    ),
    "counts where answers are 0 or 1": (
        "bmm", "a,b\n0,1\n2,1\n0,0\n", {}, ["line 3", "column 'a', got 2", "n_trials is 1"],
    ),
    "measurements where answers are 0 or 1": (
        "bmm", "a,b\n1,2.25\n0,1.5\n,\n0,1\n", {},
        ["line 2", "got 2.25; python -m comparisons.gmm takes measurements: correct it, or --drop b to leave"],
    ),
    "answers that are 1 and 2": (
        "bmm", "a,b\n1,2\n2,1\n2,2\n", {}, ["column 'b', got 2", "comparisons.cmm takes whole numbers as levels"],
    ),
    "halves among levels": ("cmm", "a,b\n1,2\n1,2.5\n", {}, ["column 'b' holds numbers that cannot be levels"]),
    "names among levels": (
        "cmm", "a,b\n" + "".join(f"{i % 2},p{i}\n" for i in range(30)), {},
        ["column 'b' holds free text (30 different values", "--drop b leaves out this column"],
    ),
    "an ambiguous n": (
        "gmm", "x,n\n1.5,2\n2.5,3\n2.7,3\n", {},
        ["'n' may hold frequencies or a feature", "--weights n", "--columns x,n", "--drop n"],
    ),
    "R's Freq": ("bmm", '"a","Freq"\n0,12\n1,7\n', {}, ["'Freq' may hold frequencies", "--weights Freq"]),
    "ids that are repeated": (
        "gmm", "PatientID,x\n17,1.5\n17,2\n4,9\n", {}, ["column 'PatientID' may hold labels", "--drop PatientID"],
    ),
    "values or row numbers beside counts": (
        "pmm", "x,count\n1,2\n2,1\n3,1\n", {}, ["--columns x --weights count", "--columns count"],
    ),
    "halves among frequencies": (
        "bmm", "a,count\n0,1\n1,1.5\n", {},
        ["line 3: frequencies in column 'count' must be whole numbers", "got 1.5"],
    ),
    "a name that is missing": ("gmm", "a,,c\n1,2,3\n4,5.5,6\n", {}, ["column 2 has no name", "--drop 'column 2'"]),
    "a line that counts rows and columns": ("gmm", "3 2\n1.5 2\n7 5\n2 4\n", {}, ["line 1 counts rows and columns"]),
    "a title above the header": (
        "gmm", "Sales 2020;;\n;;\na;b;c\n1;2;3\n", {},
        ["line 1: 'Sales 2020' is a title", "delete the lines above"],
    ),
    "a comment above the header": ("gmm", "# made by me\na,b\n1,2\n", {}, ["line 1: '# made by me' is a title"]),
    "a row of sums by its name": (
        "gmm", "what,x,y\nlow,1,2\nhigh,2,9\nTotal,3,11\n", {},
        ["line 4, column 'what': 'Total' begins a row of sums", "delete"],
    ),
    "a row of sums by its numbers": (
        "gmm", "x,y\n1,2.5\n4,4\n5,6\n10,12.5\n", {}, ["line 5 holds the sums of the rows above"],
    ),
    "a row of sums beside words": (
        "gmm", "x,y,sex\n1,2.5,f\n4,4,m\n5,6,f\n10,12.5,\n", {}, ["line 5 holds the sums of the rows above"],
    ),
    "a row of sums without a number": (
        "gmm", "id,x\n1,2.5\n2,2.5\n3,5\n,10\n", {}, ["line 5: column 'id' labels all rows but this one"],
    ),
    "a row of sums between others": (
        "gmm", "what,x\nA,1.5\nNorth Total,1.5\nB,2\nC,7\nD,8\nE,9\n", {"drop": "what"},
        ["line 3", "'North Total' begins"],
    ),
    "days as Excel counts them": (
        "gmm", "x,Date\n1.5,43831\n2,43840\n9,43901\n", {}, ["column 'Date' holds dates (43831"],
    ),
    "a row of means below deviations": (
        "gmm", ",x\nA,1.5\nB,2.5\nC,7\nMean,3.7\nSD,2.9\nMinimum,1.5\n", {},
        ["line 5", "'Mean' begins", "and lines like it"],
    ),
    "a row of means, or a sample": (
        "cmm", "level,b\nlow,1\nhigh,2\naverage,1\n", {},
        ["line 4", "if it is a sample, name the column: --index level (labels of rows) or --drop level, or among"],
    ),
    "a row of sums that begins with a label": (
        "gmm", "who,x\nAnn,1.5\nBob,2\nTotal,3.5\n", {"index": "who"}, ["'Total' begins a row of sums"],
    ),
    "a row of means by its numbers": (
        "gmm", "x,y\n" + "".join(f"{i % 7}.5,{i * i}\n" for i in range(12)) + "3.083,42.17\n", {},
        ["line 14 holds the means of the rows above it"],
    ),
    "a row of rounded sums": (
        "gmm", "x,y\n" + "".join(f"{i % 7}.5,{i * i}\n" for i in range(12)) + "37.01,506\n", {},
        ["line 14 holds the sums of the rows above it"],
    ),
    "means above maxima that nothing names": (
        "gmm", "x,y\n" + "".join(f"{i % 7}.5,{i * i}\n" for i in range(12)) + "3.083,42.17\n6.5,121\n", {},
        ["line 14 holds the means of the rows above it", "delete it, and lines like it"],
    ),
    "times in every column": (
        "gmm", "a,b\n7:20,8:15\n7:20,8:28\n6:59,7:40\n", {}, ["dates or times", "write times as numbers, 9:30 as 9.5"],
    ),
    "merged cells of whole numbers among levels": (
        "cmm", "year,a\n2019,1\n,2\n,1\n2020,2\n,1\n,3\n", {}, ["column 'year' holds each value once, above empty"],
    ),
    "a sum below one column": (
        "gmm", "x\n" + "".join(f"{i % 7}.5\n" for i in range(12)) + "37\n", {}, ["line 14 holds the sums"],
    ),
    "a source below the table": (
        "gmm", "x,y\n1,2\n3,4.5\n\nSource: our own,\n", {},
        ["line 5: 'Source: our own' stands alone", "or write NA into its empty cells if it is a sample"],
    ),
    "settings above the table": (
        "gmm", "Model,TBS\nUnit,V\n\nt,u,v\n1,2,3\n4,5,7\n", {},
        ["line 4: expected 2 cells", "delete the lines above line 4, if the table begins there"],
    ),
    "comments above the table": (
        "gmm", "% by me\n% x y\n1.5 2\n3 4\n", {"columns": "x"}, ["line 3", "delete lines of comments"],
    ),
    "errors of spreadsheets": (
        "gmm", "a,b\n1,#DIV/0!\n3,2\n4,#VALUE!\n1,7\n9,8\n", {}, ["--missing '#DIV/0!,#VALUE!' if these mark missing"],
    ),
    "marks behind some numbers": (
        "gmm", "a,b\n1.5*,2 b\n3,4\n2,5\n", {}, ["line 2: expected a number in column 'a'", "write numbers alone"],
    ),
    "times of races, some of a minute and more": (
        "gmm", "a,b\n58.1,1\n1:06.3,2\n1:13.6,5\n1:02.9,7\n", {}, ["'a' holds dates or times ('1:06.3' in line 3)"],
    ),
    "yes and no as 1 and 2 beside weights of a survey": (
        "bmm", "a,b,w_x\n1,2,0.7\n2,1,1.5\n9,1,0.9\n2,2,1.2\n", {},
        ["got 2", "comparisons.cmm takes whole", "; no cell is 0: write 0 for no: correct it, or --drop b"],
    ),
    "counts that are never 0": (
        "bmm", "a,b\n" + "1,1\n2,1\n4,1\n5,0\n6,1\n8,1\n" * 2, {},
        ["got 2; python -m comparisons.cmm takes whole numbers as levels: correct it, or --drop a to leave"],
    ),
    "answers 1 and 2 that are told to become 0 and 1": (
        "bmm", "a,b\n1,2\n2,1\n2,2\n", {},
        ["subtract 1 from X; python -m comparisons.cmm takes whole numbers as levels:"],
    ),
    "minutes beside measurements, which are no levels": (
        "bmm", "a,b\n79,3.6\n54,1.8\n74,3.3\n62,2.2\n85,4.5\n", {}, ["got 79: correct it, or --drop a to leave the"],
    ),
    "merged cells": (
        "gmm", "a,b\nnorth,1\n,2.5\n,3\nsouth,4\n,5\n", {}, ["'a' holds each value once", "write it into every row"],
    ),
    "different units": (
        "gmm", "a,b\n1.5 kg,1\n700 g,2\n2.5 kg,5\n", {}, ["'a' holds numbers with different units ('1.5 kg'"],
    ),
    "words of letters that numbers have": (
        "gmm", "a,b\ndog,1\ndeer,2\neagle,5\n", {}, ["'a' holds words of 3 kinds", "comparisons.cmm takes words"],
    ),
    "ranges": ("gmm", "a,b\n10-19,1\n20-29,2\n30-39,5\n", {}, ["'a' holds words of 3 kinds", "comparisons.cmm"]),
    "codes that may be numbers with units": (
        "gmm", "a,b\n12a,1\n14b,2\n12c,5\n", {}, ["write one unit, if these are no words of 3", "comparisons.cmm"],
    ),
    "grades": ("gmm", "a,b\n1-,1\n2-,2\n2,5\n3-,4\n", {}, ["'a' holds words of 4 kinds", "comparisons.cmm"]),
    "a grade among numbers": ("gmm", "a,b\n1,1\n2-,2\n2,5\n", {}, ["line 3", "got '2-'", "--missing 2-"]),
    "flats": ("gmm", "a,b\n12 D 4,1\n12 E 4,2\n12D4,5\n", {}, ["'a' holds words of 3 kinds"]),
    "codes of three letters": ("gmm", "a,b\nABC 12,1\nABC 14,2\nABC 15,5\n", {}, ["'a' holds words of 3 kinds"]),
    "crosses and empty cells": (
        "bmm", "a,b\n0,x\n1,\n0,x\n", {}, ["'b' holds nothing but 'x' in line 2 and empty cells (write yes and no"],
    ),
    "days counted by Excel": ("gmm", "x,Kaufdatum\n1.5,43831\n2,43840\n9,43901\n", {}, ["'Kaufdatum' holds dates"]),
    "Japanese of old": ("gmm", "身長,体重\n1,2\n".encode("shift_jis"), {}, ["none in cp1252: save it as CSV UTF-8"]),
    "two headers": ("gmm", "a,b\n1,2\na,b\n3,4\n", {}, ["line 3 repeats the header"]),
    "two headers of words": (
        "cmm", "q,size\nred,S\nblue,M\nq,size\nred,L\n", {}, ["line 4 repeats the header: delete it, or add a line"],
    ),
    "days and months as numbers": ("gmm", "x,Datum\n1.5,12.05\n2,13.05\n9,14.11\n", {}, ["'Datum' holds dates"]),
    "years and months as numbers": ("gmm", "month,x\n2023.10,1\n2023.12,5\n2024.01,3\n", {}, ["'month' holds dates"]),
    "years and months without a point": (
        "gmm", "period,x\n202301,1\n202304,5\n202312,3\n", {}, ["'period' holds dates"],
    ),
    "days with hours counted by Excel": ("gmm", "date,x\n45292.5,1\n45293.25,5\n", {}, ["'date' holds dates"]),
    "names that are there twice": ("gmm", "a,b,a\n1,2,3\n", {}, ["different name", "'a' more than once in line 1"]),
    "years as names": ("gmm", "2019,2020\n1,2\n3,4\n", {}, ["line 1, '2019,2020', may be names or data"]),
    "a country and years": ("gmm", "country,2019,2020\nDE,2,3\nFR,4,5\n", {}, ["line 1", "may be names or data"]),
    "a country, and years that may be amounts": (
        "gmm", "country,2019,2020,2021\nDE,1999,3,4\nFR,4,5,9\n", {}, ["line 1", "may be names or data"],
    ),
    "answers that one ticks": (
        "bmm", "TV,Radio\nTV,\n,Radio\nTV,Radio\n,\n", {},
        ["column 'TV' holds nothing but 'TV' in line 2 and empty cells (write yes and no", "column 'Radio'"],
    ),
    "how often each height was seen": (
        "gmm", "height,weight\n150,3\n160,12\n170,25\n180,9\n", {},
        ["column 'weight' may hold frequencies or a feature: --weights weight"],
    ),
    "how often each class of lengths was seen": (
        "gmm", "length,weight\n150,13\n160,22\n170,25\n180,19\n", {}, ["column 'weight' may hold frequencies or a"],
    ),
    "a long row": ("gmm", "a,b\n1,2\n3,4,5\n", {}, ["line 3: expected 2 cells as in line 1, got 3"]),
    "a long row with decimal commas": (
        "gmm", "a;b\n1,2;3\n2,2;4;5\n", {}, ["line 3: expected 2 cells as in line 1, got 3, '2,2;4;5'"],
    ),
    "a short row": ("gmm", "a,b\n1,2\n3\n", {}, ["line 3: expected 2 cells as in line 1, got 1"]),
    "decimal commas between commas": ("gmm", "a,b\n1,5,2,5\n3,5,4,5\n", {}, ["line 2", "decimal marks", "semicolons"]),
    "one decimal comma between commas": (
        "gmm", "a,b\n1,5,2\n2,5,3\n3,5,7\n", {}, ["line 2", "semicolons", "name each"],
    ),
    "a header cut by other marks": (
        "gmm", "x,y\n1.5;2\n3;4\n", {}, ["line 1, 'x,y', is cut by other marks than line 2"],
    ),
    "an unnamed column of decimals": ("gmm", ",x\n0.5,2\n1.5,7\n", {}, ["column 1 has no name", "--drop 'column 1'"]),
    "lines wholly in quotes": ("gmm", '"a,b"\n"1,2"\n"3,4"\n', {}, ["wholly in quotation marks"]),
    "a quote that is open": ("gmm", 'a,b\n1,"2\n3,4\n', {}, ["quotation mark not closed"]),
    "thousands or decimals, in quotes": (
        "gmm", 'a,b\n"1,234",2\n"3,456",7\n', {},
        ["line 2, column 'a': '1,234' may be 1234 (--decimal .) or 1.234 (--decimal ,)"],
    ),
    "thousands or decimals, under semicolons": (
        "gmm", "a;b\n1.234;2\n3.456;7\n", {}, ["'1.234' may be 1.234 (--decimal .) or 1234"],
    ),
    "both decimal marks": ("gmm", "a;b\n1.5;2\n3,5;7\n", {}, ["column 'a'", "mixed", "'1.5' and '3,5'"]),
    "a line of units": (
        "gmm", "a,b\ncm,kg\n1.5,2\n3,4\n5,6\n", {}, ["line 2 holds 'cm', 'kg' among numbers", "delete"],
    ),
    "a header of merged cells": (
        "gmm", "who,A,,B,\n,x,y,x,y\n1,2.5,3,4,5\n", {}, ["line 1", "does not name every column"],
    ),
    "whole weights": (
        "gmm", "x,weight\n1.5,2\n2.5,3\n0.5,1\n", {}, ["'weight' may hold frequencies", "--columns x,weight"],
    ),
    "subjects that are repeated": (
        "gmm", "subject,rt\n1,0.5\n1,0.6\n2,0.7\n", {}, ["'subject' may hold labels", "--columns subject,rt"],
    ),
    "Cyrillic letters of Windows": (
        "gmm", "Рост;Вес\n1,75;70\n1,82;81\n".encode("cp1251"), {},
        ["'Ðîñò' is no word in cp1252", "--encoding cp1251"],
    ),
    "Chinese of Windows": ("gmm", "身高,体重\n1.7,7\n1.8,81\n".encode("gbk"), {}, ["no word in cp1252", "gb18030"]),
    "Japanese of Windows": ("gmm", "身長,体重\n1.7,7\n".encode("shift_jis"), {}, ["none in cp1252", "shift_jis"]),
    "a name in an encoding that was guessed": (
        "gmm", "Şehir;a\nVan;1,5\nMuş;7\n".encode("cp1254"), {"index": "Şehir"},
        ["columns of the file: Þehir, a; got 'Şehir'; encoding cp1252 (a guess: if letters are wrong, name it by"],
    ),
    "an encoding that there is not": (
        "gmm", "a\n1\n", {"encoding": "cp12"}, ["encoding must be one that Python knows"],
    ),
    "a coding that is none of text": ("gmm", "a\n1\n", {"encoding": "rot13"}, ["encoding must be one", "'rot13'"]),
    "a wrong encoding": ("gmm", "ä\n1\n".encode("cp1252"), {"encoding": "ascii"}, ["is no text in ascii: save it"]),
    "two tables": (
        "gmm", "a,b\n1.5,2\n7,5\n\nDepth,Mass\n3,60\n4,80\n", {},
        ["line 5 holds 'Depth', 'Mass' and no number: delete it if it is a second header; another table"],
    ),
    "a word alone below the numbers": (
        "gmm", "a,b\n1.5,2\n7,5\nEnde,\n", {},
        ["line 4", "got 'Ende'; it stands alone, so delete the line if it is a note"],
    ),
    "marks alone in a row of missing cells": (
        "gmm", "a,b\n1.5,2\n#REF!,#DIV/0!\n7,5\n", {},
        ["line 3", "--missing '#REF!,#DIV/0!' if these mark missing cells"],
    ),
    "a number with a unit among others is no mark": (
        "gmm", "a,b\n1,-\n2,$ (5.00)\n3,7\n9,8\n", {},
        ["line 3: expected a number in column 'b', got '$ (5.00)'; write numbers alone", "correct it, or --drop b to"],
    ),
    "a total in Dutch": (
        "pmm", "stad,x\nDelft,4\nBreda,7\nEindtotaal,11\n", {"index": "stad"}, ["line 4", "Eindtotaal"],
    ),
    "a total in Russian": (
        "pmm", "x,y\nА,4\nБ,7\nОбщий итог,11\n", {"index": "x"}, ["'Общий итог' begins a row of sums"],
    ),
    "a mean by its sign": (
        "gmm", "id,x\n1,4.5\n2,7\n3,8\nØ,6.5\n", {}, ["line 5, column 'id': 'Ø' begins a row of sums"],
    ),
    "sums in the first row": (
        "gmm", "a,b\n12.5,17\n1.5,2\n4,7\n7,8\n", {}, ["line 2 holds the sums of the rows below it and is no sample"],
    ),
    "means of few rows, rounded": (
        "gmm", "a,b\n1.5,2\n4,7\n7,8\n4.17,5.67\n", {}, ["line 5 holds the means of the rows above it"],
    ),
    "a last row without a label": (
        "gmm", "who,a,b\nx,1.5,2\ny,4,7\nz,7,8\n,4.2,5.7\n", {"index": "who"},
        ["line 5: column 'who' labels all rows but this one, which may hold sums, means or names", "--drop who"],
    ),
    "a table that counts combinations": (
        "cmm", ",Blond,Brown\nBlue,94,84\nGreen,16,29\nBrown,7,119\n", {},
        ["each number once in every column, so that none is a level", "a column 'count'"],
    ),
    "flags behind numbers are no marks of missing cells": (
        "gmm", "a\tb\n1.5\t:\n2.5\t3 b\n7\t9\n8\t4\n", {},
        ["line 3: expected a number in column 'b', got '3 b'", "--drop b"],
    ),
    "marks beside flags in another column": (
        "gmm", "a\tb\n:\t2\n2.5\t3 b\n7\t9\n8\t4\n", {},
        ["line 2: expected a number in column 'a', got ':'", "--missing : if"],
    ),
    "a mark of SAS": ("gmm", "a,b\n1.5,.A\n2.5,3\n7,5\n", {}, ["got '.A': correct it, or --missing .A if"]),
    "lines above a table that is wider": (
        "gmm", "Source,WDI,\nMade,2024-01-01,\n\nname,x,2010,2011,\nDE,1.5,2.5,3,\nFR,2.5,3,4,\n", {},
        ["line 4", "delete the lines above line 4"],
    ),
    "a rule below a table": (
        "gmm", "a;b;c\n1,5;2;3\n7;5;4\n_____\n", {}, ["line 4", "delete it if it is a note or a rule"],
    ),
    "lines that are not cut": (
        "gmm", "Sales of the year\nof all regions\na:b\n1.5:2\n7:5\n", {},
        ["holds words of 4 kinds", "if these lines are several cells each, write one mark between them"],
    ),
    "a comment within": ("gmm", "a,b\n1,2\n# a break\n7,5\n", {}, ["line 3", "delete lines of comments"]),
    "columns of blanks with a gap": (
        "gmm", "a   b   c\n1.5 2   3\n2.5     9\n7   5   1\n", {}, ["line 3", "NA into empty ones"],
    ),
    "halves and squares": ("gmm", "a,b\n1½,2²\n2½,3²\n3½,9²\n", {}, ["'1½' in line 2", "'2²' in line 2"]),
    "an infinite number": ("gmm", "a,b\n1,2\n2.5,inf\n3,4\n", {}, ["line 3", "'b', got 'inf'"]),
    "names and two rows": (
        "gmm", "who,x\nAnn,1.5\nBob,2\n", {}, ["column 'who' holds words of 2 kinds", "--index who"],
    ),
    "an unknown column": (
        "gmm", "height,b\n1,2\n3,9\n", {"columns": "heigth,b"},
        ["columns must name columns of the file", "did you mean height?"],
    ),
    "an unknown column to drop": ("gmm", "height,b\n1,2\n3,9\n", {"drop": "B"}, ["drop must name", "did you mean b?"]),
    "a column in two options": ("gmm", "a,b\n1,2\n", {"drop": "a", "columns": "a"}, ["'a'", "columns and drop"]),
    "everything dropped": ("gmm", "a,b\n1,2\n", {"drop": "a,b"}, ["no feature left"]),
    "row numbers only": ("gmm", "a,b\n1,3\n2,1\n3,2\n", {}, ["no feature left", "--columns"]),
    "an empty column with a name": ("gmm", "a,b\n1.5,\n2,NA\n", {}, ["column 'b' has no observed cell", "--drop b"]),
    "a wrong decimal mark": ("gmm", "a,b\n1,2\n", {"decimal": ";"}, ["decimal must be one of ., ,"]),
    "nothing": ("gmm", "", {}, ["is empty"]),
    "a header only": ("gmm", "a,b\n", {}, ["no rows"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_is_refused_with_its_line_and_a_remedy(written, kind):
    family, content, options, said = REFUSED[kind]
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        read(written(content), family, **options)
    for words in said:
        assert words in str(refusal.value), refusal.value


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("mine.xlsx", b"PK\x03\x04", ["spreadsheet", "save the sheet as CSV"]),
        ("mine.csv", b"PK\x03\x04 a sheet with another name", ["spreadsheet", "CSV"]),
        ("mine.csv.gz", b"\x1f\x8b", ["packed", "unpack"]),
        ("mine.csv.gz", gzip.compress(b"a,b\n1,2.5\n3,4\n", mtime=0)[:-9], ["damaged or cut off", "copy it again"]),
        (
            "mine.csv.gz",
            gzip.compress(gzip.compress(b"a,b\n1,2.5\n3,4\n", mtime=0), mtime=0),
            ["is packed", "unpack it first"],
        ),
        ("mine.json", b"[]", ["JSON", "read_json"]),
        ("mine.csv", b'{"a": 1}\n{"a": 2}\n', ["JSON", "read_json"]),
        ("mine.csv", b"@relation iris\n@data\n1,2\n", ["ARFF", "delete the lines above the data"]),
        ("mine.sav", b"$FL2", ["SPSS"]),
        ("mine.txt", b"%%MatrixMarket matrix coordinate\n2 2 1\n1 1 3\n", ["MatrixMarket", "scipy.io.mmread"]),
        ("mine.dta", b"", ["Stata"]),
        ("mine.rds", b"", ["write.csv"]),
        ("mine.csv", b"a\0,b\0\n\x001\0", ["UTF-16 without a byte order mark"]),
        ("mine.csv", b"<!DOCTYPE html><p>", ["HTML"]),
        ("mine.parquet", b"PAR1 and no more", ["Parquet"]),
    ],
)
def test_other_kinds_of_files_are_named(written, name, content, words):
    with pytest.raises(ValueError, match=r"data file .*mine") as refusal:
        read(written(content, name), "gmm")
    for word in words:
        assert word in str(refusal.value)


def test_the_remedy_in_a_refusal_works(written):
    file = written("name,day,x,y\nAnn,2001-02-03,1,n.d.\nBob,2002-02-03,2,4\nCyd,2001-05-06,7,5\n")
    with pytest.raises(
        ValueError, match=r"column 'y', got 'n.d.'.*--missing n.d. .* Besides, .*--drop name,day leaves"
    ):
        read(file, "gmm")  # all of it at once, so that one more command is enough
    assert read(file, "gmm", missing="n.d.", drop="name,day").X.shape == (3, 2)


def test_labels_are_no_remedy_if_no_feature_remains(written):
    with pytest.raises(ValueError, match="holds free text") as refusal:
        read(written("who,count\n" + "".join(f"x {i} y,{i}\n" for i in range(1, 30))), "gmm")
    assert "--index" not in str(refusal.value)


def test_a_column_with_a_comma_in_its_name_is_named_as_each_option_takes_it(written):
    file = written('"unit,geo",x,y\n"PC,AT",1.5,2\n"PC,BE",2,7\n"PC,CY",7,5\n')
    with pytest.raises(ValueError, match="holds words of 3 kinds") as refusal:
        read(file, "gmm")
    words = shlex.split(str(refusal.value))
    after = {flag: words[words.index(f"--{flag}") + 1] for flag in ("drop", "index")}
    assert read(file, "gmm", drop=after["drop"]).X.shape == (3, 2)
    assert read(file, "gmm", index=after["index"]).row_labels == ("PC,AT", "PC,BE", "PC,CY")


def test_a_command_refuses_with_the_line_and_the_column(written, tmp_path):
    result = invoke("gmm", "--data", str(written("a,b\n1.5,2\n3,x\n")), "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "line 3: expected a number in column 'b', got 'x'" in " ".join(result.output.split())


def test_questions_below_the_names_are_refused_alone_because_other_columns_may_be_right_without_them(written):
    path = written("a,b,c\nAge,How?,Fever?\n31,no,no\n27,yes,no\n45,no,yes\n33,yes,yes\n")
    with pytest.raises(ValueError, match=r"line 2.*'Age'") as refusal:
        read(path, "gmm")
    assert "Besides" in str(refusal.value)  # a single word may be wrong alone
    path = written("a,b,c\nAge,Weight,Fever?\n31,70,no\n27,65,no\n45,81,yes\n33,77,yes\n")
    with pytest.raises(ValueError, match=r"'Age', 'Weight' among numbers: .* delete the line$"):
        read(path, "gmm")
