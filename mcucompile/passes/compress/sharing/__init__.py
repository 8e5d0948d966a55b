"""What the passes that let integer weights share values have in common."""

from .integer_layer import DAMPING, IntegerLayer, check_damping, integer_layers, is_integer_layer, share
from .scalar import Init, clustered
from .tied import Tied, fitted

__all__ = [
    "DAMPING",
    "Init",
    "IntegerLayer",
    "Tied",
    "check_damping",
    "clustered",
    "fitted",
    "integer_layers",
    "is_integer_layer",
    "share",
]
