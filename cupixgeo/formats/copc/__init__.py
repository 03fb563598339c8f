"""COPC: LAZ files whose chunks are the cells of an octree."""
