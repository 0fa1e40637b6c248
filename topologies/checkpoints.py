"""Checkpoints: how often to write them, and what share of the time training then makes progress.

M is the mean time between interruptions (exponential), d the time to write a checkpoint, R the time to
restart. Interval: Young (CACM 1974) sqrt(2 d M), refined by Daly (Future Generation Computer Systems
2006): sqrt(2 d M) (1 + sqrt(d / 2M)/3 + (d / 2M)/9) - d for d < 2M, else M. Share of useful time at
interval t, from the same paper: t / (M exp(R/M) (exp((t + d)/M) - 1)).
"""

from __future__ import annotations

from math import exp, expm1, inf, sqrt


def young_interval_s(mtbf_s: float, checkpoint_s: float) -> float:
    """Return Young's first-order interval between checkpoints, in seconds of work."""
    return sqrt(2 * checkpoint_s * mtbf_s)


def daly_interval_s(mtbf_s: float, checkpoint_s: float) -> float:
    """Return Daly's higher-order interval between checkpoints, in seconds of work."""
    if mtbf_s == inf:
        return inf
    ratio = checkpoint_s / (2 * mtbf_s)
    if ratio >= 1:
        return mtbf_s
    return sqrt(2 * checkpoint_s * mtbf_s) * (1 + sqrt(ratio) / 3 + ratio / 9) - checkpoint_s


def effective_share(mtbf_s: float, interval_s: float, checkpoint_s: float, restart_s: float) -> float:
    """Return the share of time that is useful work, 1 without interruptions; 0 if no interval ever ends."""
    if mtbf_s == inf:
        return 1.0
    if interval_s <= 0 or (interval_s + checkpoint_s + restart_s) / mtbf_s > 700:  # exp would overflow
        return 0.0
    return interval_s / (mtbf_s * exp(restart_s / mtbf_s) * expm1((interval_s + checkpoint_s) / mtbf_s))
