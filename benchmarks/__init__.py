"""Benchmarks: every figure is printed beside another one of the same run. They measure, and assert nothing."""
