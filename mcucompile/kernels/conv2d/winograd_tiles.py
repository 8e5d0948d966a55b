"""The tiles, blocks and strips of a convolution by Winograd's method: the compile-time parameters of its kernels."""

from __future__ import annotations

from dataclasses import dataclass

from ..scaling import Scaling
from ..trace import Range, Sweep
from .winograd_transform import Transform

PLACE_NBYTES = 12
UNROLLED_STEPS = 32  # of the inner loop
SHORT_STEPS = 8  # where little flash is what a kernel is chosen for
SUMS = 8  # tiles times channels of one block: what registers hold


@dataclass(frozen=True)
class WinogradParams:
    """`strip` tiles of an image are transformed at a time, then multiplied, `block_tiles` by `block_channels` at once.

    `expands`: weights are transformed at run time, instead of before. `staggers`: products are for two pipelines.
    """

    t: Transform
    batch: int
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    out_channels: int
    top: int
    left: int
    strip: int
    expands: bool
    staggers: bool
    fill: int
    channel_words: int
    scaling: Scaling

    @property
    def block_tiles(self) -> int:
        """Reading two words of U and four of V a step, U of only two channels needs room in scratch."""
        return 4 if self.expands else 2

    @property
    def block_channels(self) -> int:
        return SUMS // self.block_tiles

    @property
    def parts(self) -> int:
        """In how many parts U is computed: half of its rows at a time takes half the scratch."""
        return 2 if self.expands else 1

    @property
    def part_rows(self) -> int:
        return self.t.tile // self.parts

    def row_position(self, row: int) -> int:
        """Of all positions of U and V, which are part by part and then column by column, that of column 0."""
        return row // self.part_rows * self.part_rows * self.t.tile + row % self.part_rows

    @property
    def filled(self) -> int:
        """Input channels, filled up to whole words."""
        return -(-self.channels // 4) * 4

    @property
    def has_words(self) -> bool:
        return self.filled == self.channels

    @property
    def steps(self) -> int:
        """Of two input channels."""
        return self.filled // 2

    @property
    def step_loops(self) -> int:
        """Rounds of the inner loop; its body is unrolled."""
        most = SHORT_STEPS if self.expands and not self.staggers else UNROLLED_STEPS
        return next(n for n in range(1, self.steps + 1) if self.steps % n == 0 and self.steps // n <= most)

    @property
    def tiles_high(self) -> int:
        return -(-self.out_height // self.t.size)

    @property
    def tiles_wide(self) -> int:
        return -(-self.out_width // self.t.size)

    @property
    def tiles(self) -> int:
        """Of one image."""
        return self.tiles_high * self.tiles_wide

    @property
    def strips(self) -> int:
        return -(-self.tiles // self.strip)

    @property
    def blocks(self) -> int:
        """Of one image; the last block of a strip may go on with tiles that are there already."""
        strips = (min(self.strip, self.tiles - first) for first in range(0, self.tiles, self.strip))
        return sum(-(-tiles // self.block_tiles) for tiles in strips)

    @property
    def is_ragged(self) -> bool:
        """Whether some tiles have fewer outputs."""
        return self.out_height % self.t.size != 0 or self.out_width % self.t.size != 0

    def is_copied(self, tile: int) -> bool:
        """Whether a tile must be copied, because it reaches out of the image or its channels are no whole words."""
        y, x = divmod(tile, self.tiles_wide)
        top, left = y * self.t.size - self.top, x * self.t.size - self.left
        is_inside = 0 <= top <= self.height - self.t.tile and 0 <= left <= self.width - self.t.tile
        return not self.has_words or not is_inside

    @property
    def copied_tiles(self) -> int:
        return sum(map(self.is_copied, range(self.tiles)))

    @property
    def fill_word(self) -> str:
        return f"0x{(self.fill & 255) * 0x01010101:08X}u"

    @property
    def borrow_terms(self) -> tuple[str, ...]:
        """What is added to a row of a tile so that its transform has k everywhere: B^T of these numbers is all ones."""
        return ("", "", "", "", " + k", " + k") if self.t.size == 4 else (" + 2 * k", "", " + k", " - k")

    @property
    def u_offset(self) -> int:
        """Behind V in scratch."""
        return self.t.positions * self.filled * 2 * self.strip

    @property
    def m_offset(self) -> int:
        u_nbytes = self.t.positions // self.parts * self.filled * 2 * self.block_channels if self.expands else 0
        return self.u_offset + u_nbytes

    @property
    def patch_offset(self) -> int:
        """While tiles are copied and transformed there is neither U nor M."""
        return self.u_offset

    @property
    def rows_offset(self) -> int:
        """Of a tile whose rows are transformed, and columns not yet."""
        return self.patch_offset + (self.t.positions * self.filled if self.copied_tiles else 0)

    @property
    def places_offset(self) -> int:
        m_nbytes = 4 * SUMS * self.t.positions * self.strip // self.block_tiles
        return max(self.m_offset + m_nbytes, self.rows_offset + 8 * self.t.positions)

    @property
    def scratch_nbytes(self) -> int:
        return self.places_offset + PLACE_NBYTES * self.strip


def strip_sweep(p: WinogradParams, n: int, first: int) -> Sweep:
    """All tiles of a strip are read before its outputs are written."""
    tiles = range(first, min(first + p.strip, p.tiles))
    reads = [span for tile in tiles if (span := input_span(p, n, tile)) is not None]
    writes = [output_span(p, n, tile) for tile in tiles]
    return Sweep(1, (hull(0, reads),) if reads else (), (hull(1, writes),))


def hull(operand: int, spans: list[tuple[int, int]]) -> Range:
    start, stop = min(s for s, _ in spans), max(e for _, e in spans)
    return Range(operand, start, 0, stop - start)


def input_span(p: WinogradParams, n: int, tile: int) -> tuple[int, int] | None:
    """First and last byte + 1 that a tile reads."""
    y, x = divmod(tile, p.tiles_wide)
    rows = range(max(y * p.t.size - p.top, 0), min(y * p.t.size - p.top + p.t.tile, p.height))
    columns = range(max(x * p.t.size - p.left, 0), min(x * p.t.size - p.left + p.t.tile, p.width))
    if not rows or not columns:
        return None
    base = n * p.height * p.width
    first, last = base + rows[0] * p.width + columns[0], base + rows[-1] * p.width + columns[-1]
    return first * p.channels, (last + 1) * p.channels


def output_span(p: WinogradParams, n: int, tile: int) -> tuple[int, int]:
    y, x = divmod(tile, p.tiles_wide)
    bottom = min((y + 1) * p.t.size, p.out_height) - 1
    right = min((x + 1) * p.t.size, p.out_width) - 1
    base = n * p.out_height * p.out_width
    first, last = base + y * p.t.size * p.out_width + x * p.t.size, base + bottom * p.out_width + right
    return first * p.out_channels, (last + 1) * p.out_channels
