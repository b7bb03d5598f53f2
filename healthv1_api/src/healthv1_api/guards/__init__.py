"""What stands before the routes: how much and how long a request may be, and whose pages may ask."""
