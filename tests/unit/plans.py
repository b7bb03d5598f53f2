"""Plans to show: one that reads like a real one, and any that the most hostile host could bring about."""

from hypothesis import strategies as st

from deploys.operations.change import Change
from healthv1.errors import Fault
from healthv1.plan import Left, Plan, Step

DIFF = "--- nginx.conf (host)\n+++ nginx.conf (wanted)\n@@ -1 +1 @@\n-old\n+new"
CREATED = "--- x (host)\n+++ x (wanted)\n@@ -0,0 +1,2 @@\n+one\n+two"
WRITE = Step(
    "web1", "edge", "Nginx", "Write nginx.conf", (Change("file", "/etc/nginx.conf", "update", "content", DIFF),)
)
RELOAD = Step(
    "web1",
    "edge",
    "Nginx",
    "Run Nginx",
    (Change("unit", "nginx", "reload", "to take up /etc/nginx.conf", effect="nobody is interrupted"),),
)
CREATE = Step(
    "db1",
    "data",
    "PostgreSQL",
    "Write",
    (Change("file", "/etc/x.conf", "create", "", CREATED, becomes="0644 root:root"),),
)
PROTECT = Step(
    "db1",
    "data",
    "PostgreSQL",
    "Protect",
    (Change("file", "/y", "update", "mode", was="0644 a:a", becomes="0600 a:a"),),
)


def plan_of(*steps, faults=(), hosts=("web1", "db1")):
    origin = {"made": "2026-01-02T03:04:05+00:00", "revision": "0123abc+dirty", "toolkit": "0.1.0"}
    return Plan("production", hosts, 40, steps, faults, **origin)


NASTY = (
    "`",
    "```",
    "````\n",
    "~~~",
    "</details>",
    "</summary>",
    "</code></pre>",
    "<script>alert(1)</script>",
    '" onclick="x',
    "<!--",
    "-->",
    "&lt;",
    "\x1b[31m\x1b]0;title\x07",
    "\n",
    "\r",
    "\r\n\r\n",
    "\t",
    "\0",
    "\x85\u2028\u2029",
    "\u202e\u2066\u200f",
    "@everyone",
    "#1",
    "![x](https://e.test/x)",
    "https://e.test",
    "www.e.test",
    "a@e.test",
    "{{ 7 * 7 }}",
    "**",
    "\\",
    "|",
    "# ",
    "- ",
    "dir ",
)
texts = st.lists(st.sampled_from(NASTY) | st.text(max_size=8), max_size=5).map("".join)
_names = st.sampled_from(("web1", "db1")) | texts
_changes = st.builds(
    Change,
    kind=texts,
    target=texts,
    action=st.sampled_from(("create", "update", "remove", "restart")) | texts,
    why=texts,
    diff=st.just("") | texts | texts.map(lambda text: f"--- a\n+++ b\n@@ -1 +1 @@\n-{text}\n+{text}"),
    was=texts,
    becomes=texts,
    effect=texts,
)
_steps = st.builds(Step, _names, _names, _names, texts, st.lists(_changes, min_size=1, max_size=3).map(tuple))
plans = st.builds(
    Plan,
    texts,
    st.lists(_names, max_size=3).map(tuple),
    st.integers(0, 1000),
    st.lists(_steps, max_size=4).map(tuple),
    st.lists(st.builds(Fault, texts, texts, texts), max_size=2).map(tuple),
    texts,
    texts,
    texts,
    st.lists(st.builds(Left, _names, texts, st.lists(_names, max_size=2).map(tuple), texts, texts), max_size=2).map(
        tuple
    ),
)
