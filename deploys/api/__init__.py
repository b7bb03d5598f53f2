"""The API (rows G10, G11 and G24 of the guide): a release of its own folder, one hardened unit per instance."""
