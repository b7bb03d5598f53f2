"""Replaces every SSH command on a simulated host: answers questions with the recorded answers of a converged host.

It is copied there, so it uses Python's standard library alone. An unrecorded question fails, and is noted.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

PLACE = Path("/var/lib/simulated")
END = re.compile(r" 2>/dev/null </dev/null; printf '\\n%s %s\\n' ([0-9a-f]{32}) \$\?\n?")
"""The end of each question, as healthv1/hosts/fact_batches.py writes it."""

text = sys.stdin.read()
parts = END.split(text)
if len(parts) == 1:  # no questions: something to do, as a line for the journal
    sys.exit(subprocess.run(["sudo", "sh", "-s"], input=text, text=True, check=False).returncode)
known = json.loads((PLACE / "answers.json").read_text())
said = []
for question, mark in zip(parts[::2], parts[1::2]):  # noqa: B905 - what follows the last end is empty
    said += [*known.get(question, ()), "", f"{mark} {int(question not in known)}"]
    if question not in known:
        with (PLACE / "unknown").open("a") as unknown:
            unknown.write(f"{question}\n")
print("\n".join(said))
