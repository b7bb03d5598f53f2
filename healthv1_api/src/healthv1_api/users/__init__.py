"""People of an organization: who they are, what they may do, and whether they still may."""
