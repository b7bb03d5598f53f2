"""What each verb of `healthv1-api` does: parsed arguments in, lines to print out.

Modules are imported when their verb is called: `migrate` has no use for a web server, nor `--version` for anything.
"""
