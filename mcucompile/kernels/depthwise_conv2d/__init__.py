"""Kernels of DepthwiseConv2d."""
