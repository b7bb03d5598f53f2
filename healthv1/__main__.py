"""`python -m healthv1`. Waiting is made cooperative before anything that waits is imported."""

import gc
import resource

from healthv1 import cooperation

gc.disable()  # nothing that modules make is garbage, and looking for it takes a tenth of the start
cooperation.begin()
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # this process reads secrets: a crash writes none to a disk

try:
    from healthv1.cli.main import main
except ImportError as lacking:
    from healthv1.cli.unstarted import failing_command

    main = failing_command(lacking)

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
