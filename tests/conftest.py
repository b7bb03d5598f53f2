"""What every test may rely on."""

import os
import sys

# Commands are started as a user would, with this interpreter's own `healthv1`.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
