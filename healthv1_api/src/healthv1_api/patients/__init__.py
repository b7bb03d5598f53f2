"""Patients: what is known of them is sealed before it reaches the database, and every look at it is told."""
