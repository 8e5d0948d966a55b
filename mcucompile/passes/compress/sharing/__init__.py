"""What the passes that let integer weights share values have in common."""

from .integer_layer import IntegerLayer, integer_layers, is_integer_layer, share
from .scalar import Init, clustered
from .tied import Tied, fitted

__all__ = [
    "Init",
    "IntegerLayer",
    "Tied",
    "clustered",
    "fitted",
    "integer_layers",
    "is_integer_layer",
    "share",
]
