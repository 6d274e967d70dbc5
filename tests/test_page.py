"""A page to send is one file without scripts or network, in which what users named stays text."""

import re
from html.parser import HTMLParser

from matplotlib.figure import Figure

from em.page import Section, page, write_page

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
    assert '<td class="">x</td>' in text


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
