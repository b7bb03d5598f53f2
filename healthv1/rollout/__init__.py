"""Plans, and applies of them: stages, gates, what was agreed to and what is remembered."""
