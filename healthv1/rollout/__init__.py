"""Plans, and applies of them: stages, gates, agreements, and the records that hosts keep."""
