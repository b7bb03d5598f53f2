"""The schema's history. Each revision is compatible with the release before it, and can be reverted."""
