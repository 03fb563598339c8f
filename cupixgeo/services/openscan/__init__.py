"""OpenScanCloud: what a token is good for, and jobs that make textured meshes of small objects."""
