"""An authority of our own, for what hosts say to each other: every host trusts it, and has a certificate from it."""
