"""Release artifacts: the bundled API as wheels."""

from healthv1.release.bundle import Bundled

__all__ = ["Bundled"]
