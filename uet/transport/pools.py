"""What a PDC holds only while it needs it: a send ring, a receive bitmap, and saved responses.

An idle PDC is its row and what its controller and balancer remember; rings and bitmaps go from PDC to PDC.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.bitops import count
from uet.base.jit import kernel
from uet.transport.bits import words_for
from uet.transport.state import (
    core_at,
    endpoint_at,
    message_at,
    pdc_at,
    saved_at,
    sent_at,
    settings_at,
    word_at,
)


@kernel
def take_ring(e: Any, pdc: int) -> bool:
    """Give a PDC without a send ring one, with its bit sets; False if none is left."""
    p, core, window = pdc_at(e, pdc), core_at(e, 0), settings_at(e, 0)["window_packets"]
    first = core["free_ring"]
    if first >= 0:
        core["free_ring"] = sent_at(e, first)["message"]
    else:
        first = core["used_rings"] * window
        if first + window > e["n_sent"]:
            return False
        core["used_rings"] += 1
    p["ring"], p["tx_words"] = first, core["bitmap_words"] + first // window * 3 * words_for(window)
    return True


@kernel
def free_ring(e: Any, pdc: int) -> None:
    """Take the send ring of a PDC back; whatever was outstanding is forgotten."""
    p, core = pdc_at(e, pdc), core_at(e, 0)
    if p["ring"] < 0:
        return
    words, ep = words_for(settings_at(e, 0)["window_packets"]), endpoint_at(e, p["endpoint"])
    for k in range(words):
        ep["outstanding"] -= count(word_at(e, p["tx_words"] + k)["bits"])
    for k in range(3 * words):
        word_at(e, p["tx_words"] + k)["bits"] = np.uint64(0)
    sent_at(e, p["ring"])["message"] = core["free_ring"]
    core["free_ring"] = p["ring"]
    p["ring"], p["tx_words"], p["answered"] = -1, -1, 0


@kernel
def take_bitmap(e: Any, pdc: int) -> bool:
    """Give a PDC without a receive bitmap an empty one; False if none is left."""
    p, core, words = pdc_at(e, pdc), core_at(e, 0), words_for(settings_at(e, 0)["window_packets"])
    first = core["free_bitmap"]
    if first >= 0:
        core["free_bitmap"] = np.int64(word_at(e, first)["bits"]) - 1
        word_at(e, first)["bits"] = np.uint64(0)
    else:
        first = core["used_bitmaps"] * words
        if first + words > core["bitmap_words"]:
            return False
        core["used_bitmaps"] += 1
    p["rx_words"] = first
    ep = endpoint_at(e, p["endpoint"])
    ep["bitmaps"] += 1
    ep["most_bitmaps"] = max(ep["most_bitmaps"], ep["bitmaps"])
    return True


@kernel
def give_bitmap(e: Any, pdc: int) -> None:
    """Take the empty receive bitmap of a PDC back."""
    p, core = pdc_at(e, pdc), core_at(e, 0)
    word_at(e, p["rx_words"])["bits"] = np.uint64(core["free_bitmap"] + 1)
    core["free_bitmap"], p["rx_words"] = p["rx_words"], -1
    endpoint_at(e, p["endpoint"])["bitmaps"] -= 1


@kernel
def free_bitmap(e: Any, pdc: int) -> None:
    """Take the receive bitmap of a PDC back, whatever is in it."""
    p = pdc_at(e, pdc)
    if p["rx_words"] < 0:
        return
    for k in range(words_for(settings_at(e, 0)["window_packets"])):
        word_at(e, p["rx_words"] + k)["bits"] = np.uint64(0)
    give_bitmap(e, pdc)
    p["rx_out_of_order"] = 0


@kernel
def take_saved(e: Any, pdc: int, number: int, n_bytes: int) -> int:
    """Return a row for a response to packet `number` that must be kept, linked into its PDC; -1 if none is left."""
    core, p = core_at(e, 0), pdc_at(e, pdc)
    row = core["free_saved"]
    if row >= 0:
        core["free_saved"] = saved_at(e, row)["next"]
    else:
        if core["used_saved"] >= e["n_saved"]:
            return -1
        row = core["used_saved"]
        core["used_saved"] += 1
    s = saved_at(e, row)
    s["number"], s["bytes"] = number, n_bytes
    before, after = np.int64(-1), np.int64(p["saved"])
    while after >= 0 and saved_at(e, after)["number"] < number:
        before, after = after, np.int64(saved_at(e, after)["next"])
    s["next"] = after
    if before < 0:
        p["saved"] = row
    else:
        saved_at(e, before)["next"] = row
    ep = endpoint_at(e, p["endpoint"])
    ep["saved_bytes"] += n_bytes
    ep["most_saved_bytes"] = max(ep["most_saved_bytes"], ep["saved_bytes"])
    return row


@kernel
def find_saved(e: Any, pdc: int, number: int) -> int:
    """Return the saved response to packet `number`, -1 if there is none."""
    row = np.int64(pdc_at(e, pdc)["saved"])
    while row >= 0 and saved_at(e, row)["number"] < number:
        row = np.int64(saved_at(e, row)["next"])
    return row if row >= 0 and saved_at(e, row)["number"] == number else -1


@kernel
def free_saved(e: Any, pdc: int, number: int) -> None:
    """Forget the saved responses to packets up to `number`."""
    core, p = core_at(e, 0), pdc_at(e, pdc)
    ep = endpoint_at(e, p["endpoint"])
    while p["saved"] >= 0 and saved_at(e, p["saved"])["number"] <= number:
        row = np.int64(p["saved"])
        s = saved_at(e, row)
        p["saved"] = s["next"]
        s["next"] = core["free_saved"]
        core["free_saved"] = row
        ep["saved_bytes"] -= s["bytes"]


@kernel
def take_own_message(e: Any) -> int:
    """Return a message row of the engine's own, -1 if none is left."""
    core = core_at(e, 0)
    row = core["free_own"]
    if row >= 0:
        core["free_own"] = message_at(e, row)["next"]
        return row
    if core["max_messages"] + core["used_own"] >= e["n_message"]:
        return -1
    core["used_own"] += 1
    return core["max_messages"] + core["used_own"] - 1


@kernel
def is_own(e: Any, message: int) -> bool:
    """Tell whether a message row is one of the engine's own."""
    return message >= core_at(e, 0)["max_messages"]


@kernel
def free_message(e: Any, message: int) -> None:
    """Give a message row back; a carrier does so with rows of completed messages that it needs no more."""
    core, m = core_at(e, 0), message_at(e, message)
    if is_own(e, message):
        m["next"] = core["free_own"]
        core["free_own"] = message
    else:
        m["next"] = core["free_message"]
        core["free_message"] = message
