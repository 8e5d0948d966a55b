"""What a recipe can ask for, in the one order in which it is done whatever the recipe's own order is.

Lossless removal comes before and, since zeros appear on the way, again behind: see pipeline.py.
"""

from __future__ import annotations

from .base import Change, Compression, Stage
from .cluster import Cluster
from .cp import Cp
from .encode import Encode
from .exact_rank import ExactRank
from .hash_weights import HashWeights
from .low_rank import LowRank
from .product_quantize import ProductQuantize
from .prune_blocks import PruneBlocks
from .prune_channels import PruneChannels
from .prune_filters import PruneFilters
from .prune_layers import PruneLayers
from .prune_neurons import PruneNeurons
from .prune_nm import PruneNm
from .prune_shapes import PruneShapes
from .prune_weights import PruneWeights
from .quantize_weights import QuantizeWeights
from .separable import Separable
from .tensor_train import TensorTrain
from .tucker import Tucker

ALL: tuple[type[Compression], ...] = (
    PruneLayers,
    PruneFilters,
    PruneChannels,
    PruneNeurons,
    PruneShapes,
    PruneBlocks,
    PruneNm,
    PruneWeights,
    ExactRank,
    LowRank,
    Separable,
    Tucker,
    Cp,
    TensorTrain,
    QuantizeWeights,
    Cluster,
    ProductQuantize,
    HashWeights,
    Encode,
)

__all__ = ["ALL", "Change", "Compression", "Stage"]
