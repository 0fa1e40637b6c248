"""A secure domain as one endpoint sees it: its two keys, its counter, and what it received from whom.

Three modes say how a packet's key follows from the domain's:

* `direct`: the domain's key itself; the initialisation vector is not masked.
* `cluster`: every source has its own key, derived from epoch, rekey bits and source identifier.
* `client-server`: every client has its own key, derived from its identifier, which the server derives
  too; a client is given its derived key (`client_key`) and never sees the domain's.

Sources: uet-ref-prov (uet_sec.c) for modes, vectors and rotation. The labels of the derivation and the
order of its context are this project's choice: no public source was found that tells them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from uet.base.errors import BadInput, NoAnswer, nearest
from uet.transport.security.kdf import KEY_BYTES, MASK_BYTES, key_and_mask
from uet.transport.security.replay import ReplayWindow

MODES = ("direct", "cluster", "client-server")
COUNTER_BITS = 48
MAX_SOURCES = 4096
"""Sources whose replay windows are kept; a domain with more of them takes nothing from the others."""

_NO_MASK = bytes(MASK_BYTES)


@dataclass
class Slot:
    """One of the two keys: what was sent with it, and what was received."""

    key: bytes
    epoch: int = 0
    counter: int = 0
    windows: dict[bytes, ReplayWindow] = field(default_factory=dict)


@dataclass
class SecureDomain:
    """Keys and counters of one secure domain. `ssi` is this endpoint's source identifier, None: its IP address."""

    sdi: int
    mode: str = "cluster"
    ssi: int | None = None
    rekey_bits: int = 0
    clear_bytes: int = 0
    client: bytes | None = None
    window: int = 1024
    sending: int = 0
    slots: dict[int, Slot] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise BadInput for values that do not fit their fields."""
        if self.mode not in MODES:
            raise BadInput(f"no mode of security is called '{self.mode}'; {nearest(self.mode, MODES)}")
        if not 0 <= self.sdi < 1 << 24 or not 0 <= (self.ssi or 0) < 1 << 32:
            raise BadInput("a secure domain has 24 bits and a secure source 32; choose smaller numbers")
        if not 0 <= self.rekey_bits <= 16:
            raise BadInput(f"rekey_bits={self.rekey_bits} is out of range; choose 0 to 16 bits of the counter")

    def install(self, an: int, key: bytes, epoch: int = 0) -> None:
        """Put a key of 256 bits into slot `an`, 0 or 1; its counter begins anew, and so does replay protection.

        A key must never be installed twice: its counter values would be used again.
        """
        if an not in (0, 1) or len(key) != KEY_BYTES:
            raise BadInput(f"a secure domain has keys 0 and 1 of {KEY_BYTES} bytes; install one of these")
        if any(slot.key == key for slot in self.slots.values()):
            raise BadInput("this key is in use already, and a key with a fresh counter repeats itself; make a new one")
        if not 0 <= epoch < 1 << 16:
            raise BadInput(f"epoch {epoch} does not fit 16 bits; choose a smaller one")
        self.slots[an] = Slot(key, epoch)

    def use(self, an: int) -> None:
        """Send with key `an` from now on; both keys are good for receiving. Raises BadInput if it is not installed."""
        if an not in self.slots:
            raise BadInput(f"key {an} of secure domain {self.sdi} is not installed; install it first")
        self.sending = an

    def next_tsc(self) -> int:
        """Return epoch and counter of the next packet as one number, never the same twice.

        Raises NoAnswer once the counter is used up, which ends the key: nothing may be sent with it any more.
        """
        slot = self.slots[self.sending]
        if slot.counter >= 1 << COUNTER_BITS:
            raise NoAnswer(f"the counter of secure domain {self.sdi} is used up; install a new key")
        slot.counter += 1
        return slot.epoch << COUNTER_BITS | slot.counter - 1

    def key_for(self, an: int, tsc: int, source: bytes, client: bytes) -> tuple[bytes, bytes]:
        """Return key and vector mask of a packet: `source` sent it, `client` is the end that is no server."""
        key = self.slots[an].key
        if self.mode == "direct":
            return key, _NO_MASK
        if self.mode == "client-server":
            own = key if self.client is not None else client_key(key, client)
            return _derived(own, b"uet client", b"")
        rekey = (tsc & ((1 << COUNTER_BITS) - 1)) >> (COUNTER_BITS - self.rekey_bits)
        context = (tsc >> COUNTER_BITS).to_bytes(2, "big") + rekey.to_bytes(2, "big") + source
        return _derived(key, b"uet cluster", context)

    def is_new(self, an: int, source: bytes, tsc: int) -> bool:
        """Tell whether a packet of this number from this source may be accepted, if its tag is right."""
        slot = self.slots[an]
        window = slot.windows.get(source)
        return len(slot.windows) < MAX_SOURCES if window is None else window.is_new(tsc)

    def accept(self, an: int, source: bytes, tsc: int) -> None:
        """Note a packet whose tag is right."""
        windows = self.slots[an].windows
        windows.setdefault(source, ReplayWindow(self.window)).add(tsc)


@lru_cache(maxsize=4096)
def _derived(key: bytes, label: bytes, context: bytes) -> tuple[bytes, bytes]:
    return key_and_mask(key, label, context)


def client_key(domain_key: bytes, client: bytes) -> bytes:
    """Return the key that a client of a `client-server` domain is given: that of its identifier (SSI or address)."""
    return key_and_mask(domain_key, b"uet client key", client)[0]
