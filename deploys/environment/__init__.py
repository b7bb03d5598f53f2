"""The API's environment (row G3 of the guide): every variable typed, the file written whole and 0600."""
