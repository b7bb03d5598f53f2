"""Copies of the database that leave its host."""
