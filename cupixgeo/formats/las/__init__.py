"""LAS and LAZ: checked, read, converted, written."""
