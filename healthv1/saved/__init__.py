"""Plans that are saved, reviewed, and then applied exactly, or refused with the name of what moved."""
