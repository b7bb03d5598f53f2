"""`python -m healthv1`. Sockets are made cooperative before anything that uses them is imported."""

from gevent import monkey

monkey.patch_all()

from healthv1.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
