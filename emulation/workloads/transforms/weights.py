"""Bits of a stored weight that is quantized after training.

GPTQ (Frantar et al. 2022, arXiv 2210.17323): q bits and per group of g weights a 16-bit scale and a q-bit zero point.
SpQR (Dettmers et al. 2023, arXiv 2306.03078): the scale and zero point have few bits too, and a share of outliers
stands beside at full width with its place, about 32 bits each. The widths beside q are recalled, not looked up.
"""

from __future__ import annotations

from uet.base.errors import BadInput

OUTLIER_BITS = 32


def weight_bits(bits: float, group: int = 128, scale_bits: float = 16, outliers: float = 0.0) -> float:
    """Return the bits of a weight on average: q + (scale + q) / g + 32 x share of outliers."""
    if not 1 <= bits <= 16 or group < 1 or not 0 <= outliers < 1:
        raise BadInput(f"{bits} bits in groups of {group} with outliers {outliers}: use 1-16 bits, groups of 1 or more")
    return bits + (scale_bits + bits) / group + OUTLIER_BITS * outliers
