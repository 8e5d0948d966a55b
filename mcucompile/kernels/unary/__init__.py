"""Kernels of every operator that is a function of one value."""
