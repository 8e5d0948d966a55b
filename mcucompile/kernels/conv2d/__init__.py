"""Kernels of Conv2d."""
