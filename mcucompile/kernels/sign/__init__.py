"""Kernels of Sign."""
