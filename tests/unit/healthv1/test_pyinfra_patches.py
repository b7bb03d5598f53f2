"""What is had for less is the same."""

import inspect

from pyinfra.api import arguments, util

from healthv1.hosts import pyinfra_patches


def test_the_stack_names_the_same_files_and_lines_as_inspect_does():
    def read(stack, whereabouts):
        return [(told.filename, told.lineno) for told in (whereabouts(one[0]) for one in stack())]

    cheap, dear = (
        read(*ways)
        for ways in ((pyinfra_patches.stack, pyinfra_patches.frame_info), (inspect.stack, inspect.getframeinfo))
    )
    assert cheap[2:] == dear[2:]  # past this test, whose line differs between the two
    assert cheap[0][0] == __file__


def test_pyinfra_uses_it_and_still_knows_all_its_arguments():
    before = arguments.all_global_arguments()
    pyinfra_patches.apply_patches()
    pyinfra_patches.apply_patches()
    assert util.stack is pyinfra_patches.stack
    assert arguments.all_global_arguments() == before
