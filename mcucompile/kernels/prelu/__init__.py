"""Kernels of PRelu."""
