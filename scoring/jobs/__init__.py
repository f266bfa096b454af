"""Jobs: what one row of a pool is, and how it is made."""
