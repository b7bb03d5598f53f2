"""The comment on a merge request: whole where it fits, inert whatever hosts say, and never too long."""

from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from deploys.operations.change import Change
from healthv1.errors import Fault
from healthv1.plan import Step
from healthv1.plan.markdown import SHORTEST, document
from tests.unit.plans import CREATE, PROTECT, RELOAD, WRITE, plan_of, plans, texts

OURS = {"p", "strong", "code", "pre", "details", "summary"}


class Page(HTMLParser):
    """What a browser would make of it: tags with their attributes, and the text outside of code."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.prose, self.comments = [], set(), "", []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags |= {(tag, *attrs)}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "code" not in self.open:
            self.prose += data

    def handle_comment(self, data):
        self.comments.append(data)


def _page(text):
    # A parser that is not ours, with what GitHub and GitLab add: HTML, and links that need no mark-up.
    page = Page()
    page.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
    page.close()
    return page


def test_it_begins_with_its_mark_and_the_total():
    first, second, *_ = document(plan_of(CREATE, WRITE, RELOAD)).splitlines()
    assert first == "<!-- healthv1 plan production -->"
    assert second == "**Plan: 1 to create, 1 to update, 1 to reload on 2 hosts (of 40 operations).**"


def test_it_says_all_that_the_plan_says():
    text = document(plan_of(CREATE, PROTECT, WRITE, RELOAD, faults=(Fault("db2", "It is away.", "look"),)))
    for word in ("+one", "0644 a:a → 0600 a:a", "-old", "nobody is interrupted", "db2: It is away.", "Hint: look"):
        assert word in text
    for word in ("0123abc+dirty", "2026-01-02T03:04:05+00:00"):
        assert word in text
    page = _page(text)
    assert page.open == []
    assert {tag for tag, *_ in page.tags} == OURS


def test_a_line_that_moves_data_stands_ahead_of_all_that_is_folded_or_left_out():
    moving = "-data_directory = '/srv/pg/main'"
    diff = "\n".join([*("+" + "x" * 500 for _ in range(100)), moving])
    text = document(plan_of(CREATE, replace(WRITE, changes=(Change("file", "/z", "update", "", diff),))), SHORTEST)
    assert "+" + "x" * 500 not in text
    assert text.index(f"/z\n{moving}\n") < text.index("<details>")


FENCES = Change("file", "/x", "update", "", "x\n```\n</details><script>\n````")


@example(plan_of(replace(WRITE, changes=(FENCES,))))
@given(plans)
def test_nothing_that_a_host_says_becomes_markup_or_a_mention(plan):
    text = document(plan, limit=10**9)
    page = _page(text)
    assert page.open == []
    assert {tag for tag, *_ in page.tags} <= OURS
    allowed = {(), ("class", "language-diff"), ("class", "language-text")}
    assert {one for _, *attributes in page.tags for one in attributes} <= allowed
    assert len(page.comments) == 1
    assert not set("@#<>`[]*_\\") & set(page.prose)
    assert "e.test" not in page.prose, "a link needs no mark-up"


@given(texts)
def test_the_mark_is_one_comment_whatever_the_environment_is_called(name):
    first = document(replace(plan_of(RELOAD), environment=name)).split("\n")[0]
    assert first.startswith("<!-- healthv1 plan ")
    assert first.count("--") == 2


@settings(max_examples=30)
@given(
    st.integers(1, 30),
    st.integers(0, 120),
    st.sampled_from(("x", "`", "<", "\u202e", "\n", "é")),
    st.integers(SHORTEST, 70_000),
)
def test_it_is_never_longer_than_it_may_be(hosts, length, character, limit):
    change = Change("file", character * length, "update", character * length, f"{character * 40}\n" * length)
    names = tuple(f"{character}{number}" for number in range(hosts))
    steps = [Step(name, "base", name, "x", (change,) * 3) for name in names]
    text = document(plan_of(*steps, hosts=names), limit)
    assert len(text) <= limit
    assert _page(text).open == []
    assert text.rstrip().endswith("healthv1 `0.1.0`")


def test_diffs_are_left_out_first_then_components_and_it_is_said():
    long = "--- a\n+++ b\n" + "+x\n" * 4000
    steps = [replace(WRITE, changes=(Change("file", f"/{number}", "update", "content", long),)) for number in range(8)]
    text = document(plan_of(*steps), 60_000)
    assert "`/0`, 4001 lines, left out" in text
    assert "update file /7" in text
    assert "Left out to stay short: 4 diffs. `healthv1 plan production --full` shows all." in text
    wide = replace(WRITE, changes=tuple(Change("file", f"/{number}" * 20, "update") for number in range(1000)))
    short = document(plan_of(wide, CREATE), 60_000)
    assert "`Nginx`: 1000 changes, left out" in short
    assert "/etc/x.conf" in short, "the smaller component stays"
    many = [replace(PROTECT, host=f"h{number}", component=f"c{number}") for number in range(4000)]
    assert "more sections" in document(plan_of(*many, hosts=("h1",)), 60_000)
