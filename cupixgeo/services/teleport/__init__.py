"""Varjo Teleport: captures, their metadata and models, and jobs that make new ones."""
