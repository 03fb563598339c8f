"""Working on clouds: placing, merging, reporting."""
