"""The operator's own files: the project, who works on it, and files that are replaced whole."""
