"""What every test may rely on."""

import os
import sys
from pathlib import Path

# Commands are started as a user would, with this interpreter's own `healthv1`.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
