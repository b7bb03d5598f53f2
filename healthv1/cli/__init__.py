"""The command line: a file per command parses, calls one function, and shows what came of it."""
