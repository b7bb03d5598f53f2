"""Files that hosts had before us, kept aside on them: listed, and put back."""
