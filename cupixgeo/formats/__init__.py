"""How point clouds are stored: readers and writers, found by name."""
