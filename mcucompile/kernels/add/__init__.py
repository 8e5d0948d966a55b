"""Kernels of Add and Sub."""
