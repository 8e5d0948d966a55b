"""What the passes that replace a layer by a chain of smaller ones have in common."""

from .budget import distribute
from .chain import Part, nodes_of, put
from .decompose import Decomposition
from .family import Family, Level, Ranks
from .matrices import Matrices
from .vbmf import vbmf_rank

__all__ = [
    "Decomposition",
    "Family",
    "Level",
    "Matrices",
    "Part",
    "Ranks",
    "distribute",
    "nodes_of",
    "put",
    "vbmf_rank",
]
