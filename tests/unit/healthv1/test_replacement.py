"""A file is replaced whole; who writes another one at the same moment keeps it."""

import os
import time

from healthv1.replacement import replace


def test_another_process_that_writes_just_now_keeps_its_file_and_what_a_killed_one_left_goes(tmp_path):
    path = tmp_path / "plan.json"
    young, old = (tmp_path / f".plan.json.{name}.new" for name in ("young", "old"))
    for beside in (young, old):
        beside.write_text("half")
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    replace(path, "whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".plan.json.young.new", "plan.json"]
    assert path.read_text() == "whole"
