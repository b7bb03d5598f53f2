"""Measured, not asserted: every figure is printed beside what it is compared with, in one run."""
