"""Many clouds into many files: square tiles of one grid, made by any number of machines."""
