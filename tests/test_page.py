"""A page to send is one file without scripts or network, in which what users named stays text."""

import json
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from io import StringIO

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.explorer import BROWSERS
from comparisons.output.console import table_of
from em.page import Section, page, shown_table, write_page

A4 = 718  # pixels of CSS between margins of 1 cm

HOSTILE = "<script>alert('x')</script> & \"quoted\" \x1b[31m {{ 7 * 7 }}"


class Reader(HTMLParser):
    """Collects tags, addresses and text."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def read(text):
    reader = Reader()
    reader.feed(text)
    return reader


def a_figure():
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot([0, 1], [0, 1])
    return figure


def test_what_users_named_stays_text_wherever_it_stands():
    section = Section(HOSTILE, [HOSTILE], [{HOSTILE: HOSTILE}], HOSTILE, {HOSTILE: a_figure})
    reader = read(page(HOSTILE, HOSTILE, [section]))
    assert "script" not in reader.tags
    shown = "".join(reader.text)
    assert shown.count("<script>alert('x')</script> & \"quoted\" \\x1b[31m {{ 7 * 7 }}") == 9  # the title stands twice
    assert "\x1b" not in shown


def test_nothing_comes_from_elsewhere():
    text = page("title", "lead", [Section("figures", figures={"a line": a_figure})])
    reader = read(text)
    assert [address[:25] for address in reader.addresses] == ["data:image/svg+xml;base64"]
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert not re.search(r"url\(|@import|https?:", text)


def test_numbers_are_flush_right_and_what_is_unknown_is_a_dash():
    text = page("t", "l", [Section("s", table=[{"name": "x", "value": 1 / 3}, {"name": "y", "value": None}])])
    assert '<td class="number">0.33333</td>' in text
    assert '<td class="number">–</td>' in text
    assert '<td class="short">x</td>' in text


def test_what_only_begins_as_a_number_is_no_number_and_is_read_at_once():
    table = [{"long": 60 * "1" + "x", "day": "2024-01-05", "two": "1.5 0.2<", "none": "- -", "end": "-inf"}]
    assert shown_table(Section("s", table=table))["sides"] == ["", "", "number", "number", "number"]
    assert shown_table(Section("s", table=[{"points": 3}, {"points": ""}]))["sides"] == ["number"]


def test_what_users_named_stays_text_in_a_terminal_too():
    shown = StringIO()
    table = table_of(Section("[/T]", table=[{"rate [/min]": "x [mm]"}], caption="x [mm]"), "more")
    Console(file=shown, width=60).print(table)
    lines = [line.strip() for line in shown.getvalue().splitlines()]
    assert lines == ["[/T]", "rate [/min]", "───────────", "x [mm]", "x [mm]"]


def test_a_negative_number_that_rounds_to_nothing_has_no_sign():
    assert '<td class="number">0</td>' in page("t", "l", [Section("s", table=[{"name": "x", "gap": round(-0.001, 2)}])])


def test_the_sentence_to_read_begins_as_sentences_do():
    assert '<p class="lead good">Agree: all is well</p>' in page("t", "agree: all is well", [], "good")


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium here")
def test_no_column_is_cut_off_on_paper_however_long_the_names_are(tmp_path):
    numbers = dict.fromkeys(["MLE", "MAP", "mean", "sd", "gap of MLE", "gap of MAP", "R-hat", "ESS"], -0.0123456)
    names = [f"covariances[0, {one}, {one}]" for one in ("length", "a name of " + "many " * 9, "x" * 60)]
    text = page("t", "l", [Section("s", table=[{"parameter": name, **numbers} for name in names], caption="c " * 99)])
    tables = "[...document.querySelector('iframe').contentDocument.querySelectorAll('.wide')]"
    measured = f"{tables}.map(e => [e.clientWidth, e.scrollWidth])"
    holder = tmp_path / "holder.html"
    holder.write_text(
        f'<iframe style="width: {A4}px" srcdoc="{escape(text.replace("@media print", "@media screen"))}"></iframe>'
        f"<script>onload = () => document.title = JSON.stringify({measured})</script>",
        encoding="utf-8",
    )
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync"
    shown = subprocess.run(
        [browser, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", holder.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    [(there, needed)] = json.loads(re.search(r"<title>(.*?)</title>", shown)[1])
    assert needed <= there < A4


def test_a_figure_that_fails_is_named_and_the_rest_is_there():
    def broken():
        raise RuntimeError("no ink")

    text = page("t", "l", [Section("s", ["before"], figures={"first": broken, "second": a_figure})])
    assert "first: left out, RuntimeError: no ink" in text
    assert text.count("<img") == 1


def test_a_large_picture_of_points_is_a_png(tmp_path):
    def points():
        figure = Figure(figsize=(2, 2))
        figure.subplots().plot(range(20_000), [x % 97 for x in range(20_000)], ".")
        return figure

    write_page(tmp_path / "page.html", "t", "l", [Section("s", figures={"points": points})])
    assert "data:image/png;base64" in (tmp_path / "page.html").read_text()
