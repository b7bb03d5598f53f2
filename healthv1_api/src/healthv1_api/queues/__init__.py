"""Work that waits: lab orders, imaging orders and the worklist, each taken by one worker at a time."""
