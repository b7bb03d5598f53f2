"""Buckets, as the operator's side reaches them: over S3, and in no other way."""
