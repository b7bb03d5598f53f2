"""The page: it is whole, fetches and runs nothing, and shows hostile text as text."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given

from deploys.operations.change import Change
from healthv1.errors import Fault
from healthv1.plan.html import document
from tests.unit.plans import CREATE, PROTECT, RELOAD, WRITE, plan_of, plans

VOID = {"meta"}
TAGS = {"html", "head", "meta", "title", "style", "body", "header", "main", "section", "details", "summary"}
TAGS |= {"h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "div", "span", "b", "pre"}
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "open",
    "tabindex",
    "aria-label",
    "aria-hidden",
}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.words = [], [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "head"} & set(self.open):
            self.words.append(data.strip())


def test_it_says_all_that_the_plan_says():
    page = Page(document(plan_of(CREATE, PROTECT, WRITE, RELOAD, faults=(Fault("db2", "Away.\nReally.", "look"),))))
    total = "Plan: 1 to create, 2 to update, 1 to reload on 2 hosts (of 40 operations)."
    shown = {"production", total, "+two", "-old", "0644 a:a → 0600 a:a", "nobody is interrupted", "db2", "Really."}
    assert shown <= set(page.words)
    assert page.tags.count("details") == 2 + 2  # a component each, and two diffs


def test_a_line_that_moves_data_stands_outside_of_a_diff_that_is_closed():
    moving = "-data_directory = '/srv/pg/main'"
    long = "\n".join([*(f"+{number}" for number in range(30)), moving])
    for diff, action, times in ((long, "update", 2), (moving, "update", 1), (moving, "create", 2)):
        text = document(plan_of(replace(WRITE, changes=(Change("file", "/z", action, "", diff),))))
        assert Page(text).words.count(moving) == times
        assert (text.index("data_directory") < text.index('<details class="diff"')) == (times == 2)


def test_it_allows_its_own_style_and_nothing_else():
    text = document(plan_of(WRITE))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


@given(plans)
def test_hostile_text_is_text(plan):
    text = document(plan)
    page = Page(text)
    assert page.open == []
    assert set(page.tags) <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    changes = sum(len(step.changes) for step in plan.steps)
    assert page.tags.count("li") <= changes + len({c.action for step in plan.steps for c in step.changes})
