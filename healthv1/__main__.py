"""`python -m healthv1`. Sockets are made cooperative before anything that uses them is imported."""

import resource

from gevent import monkey

monkey.patch_all()
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # this process reads secrets: a crash writes none to a disk

from healthv1.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
