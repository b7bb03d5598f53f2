"""What hosts had before us and is kept aside on them: listed, and put back."""
