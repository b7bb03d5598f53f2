"""A maintenance of the website: what visitors are told, and how an edge host is closed and opened."""
