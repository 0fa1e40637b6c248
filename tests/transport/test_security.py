"""TSS: frames survive sealing, and nothing that was replayed, reordered too far, forged, cut or reused gets in."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from wire_samples import GuardedBuffer, read, sample

from uet.base.errors import BadInput, NoAnswer
from uet.transport.record import NextHeader, PdsType
from uet.transport.security.domain import SecureDomain, client_key
from uet.transport.security.frames import Verdict, open_frame, seal
from uet.transport.security.kdf import derive
from uet.transport.security.replay import ReplayWindow
from uet.transport.security.start_psn import StartPsn
from uet.transport.wire.build import build_frame
from uet.transport.wire.dissect import decode_packet
from uet.transport.wire.path import make_path

BUFFER, PAYLOAD = GuardedBuffer(), GuardedBuffer()
KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("2001:db8::1", "2001:db8::2")}


def frame_of(version: int = 4, udp: bool = True, payload: int = 40, seed: int = 1) -> bytes:
    packet, ses = sample(np.random.default_rng(seed), PdsType.RUD_REQ, NextHeader.REQUEST_STD, payload)
    path = make_path(*ENDS[version], udp=udp, crc="none")
    content = PAYLOAD.put(np.random.default_rng(seed).bytes(payload))
    n = build_frame(path[0], packet[0], ses[0], content, BUFFER.start, BUFFER.room)
    return read(BUFFER.start, n)


def without_udp_checksum(frame: bytes, version: int, udp: bool) -> bytes:
    at = 14 + (20 if version == 4 else 40) + 6
    return frame[:at] + b"\0\0" + frame[at + 2 :] if udp else frame


def pair_of(mode: str = "cluster", **options) -> tuple[SecureDomain, SecureDomain]:
    """Return the domain as sender and receiver see it."""
    ends = SecureDomain(7, mode, **options), SecureDomain(7, mode, **options)
    for end in ends:
        end.install(0, KEY)
    return ends


@pytest.mark.parametrize("mode", ["direct", "cluster"])
@pytest.mark.parametrize("ssi", [None, 0x0A0B0C0D])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("udp", [True, False])
def test_a_frame_survives_and_is_unreadable_on_the_way(mode, ssi, version, udp) -> None:
    sender, receiver = pair_of(mode, ssi=ssi, clear_bytes=12)
    frame = frame_of(version, udp)
    if mode == "direct" and ssi is None and version == 6:
        with pytest.raises(BadInput, match="SSI"):
            seal(frame, sender)
        return
    sealed = seal(frame, sender)
    assert frame[-40:] not in sealed
    assert len(sealed) == len(frame) + (12 if ssi is None else 16) + 16
    document = decode_packet(sealed)
    assert document["errors"] == []
    fields = next(h["fields"] for h in document["headers"] if h["name"] == "tss")
    assert (fields["sdi"], fields["an"], fields["counter"], fields.get("ssi")) == (7, 0, 0, ssi)
    assert open_frame(sealed, receiver) == (without_udp_checksum(frame, version, udp), Verdict.OPENED)


def test_a_sealed_frame_is_what_the_rules_say_byte_for_byte() -> None:
    sender, _ = pair_of("direct")
    frame = frame_of()
    sealed = seal(frame, sender)
    tss = bytes.fromhex("08000007") + bytes(8)
    total = len(frame) - 14 + 28
    additional = sealed[26:34] + frame[34:38] + (total - 20).to_bytes(2, "big") + bytes(2) + tss
    vector = bytes([10, 0, 0, 1]) + bytes(8)
    assert sealed[42:] == tss + AESGCM(KEY).encrypt(vector, frame[42:], additional)


def test_derivation_follows_sp_800_108() -> None:
    def block(i: int) -> bytes:
        mac = CMAC(AES(KEY))
        mac.update(bytes([0, 0, 0, i]) + b"label\0context" + bytes([0, 0, 1, 0x60]))
        return mac.finalize()

    assert derive(KEY, b"label", b"context", 44) == (block(1) + block(2) + block(3))[:44]


def test_cluster_keys_differ_by_source_epoch_and_rekey_bits() -> None:
    domain = SecureDomain(1, "cluster", rekey_bits=8)
    domain.install(0, KEY)
    seen = {domain.key_for(0, epoch << 48 | top << 40 | low, source, b"")[0]
            for epoch in (0, 1) for top in (0, 1) for low in (0, 5) for source in (b"aaaa", b"bbbb")}  # fmt: skip
    assert len(seen) == 8


def test_a_client_and_its_server_understand_each_other_and_other_clients_do_not() -> None:
    server = SecureDomain(7, "client-server")
    server.install(0, KEY)
    clients = {}
    for last in (1, 3):
        address = bytes([10, 0, 0, last])
        clients[last] = SecureDomain(7, "client-server", client=address)
        clients[last].install(0, client_key(KEY, address))
    assert open_frame(seal(frame_of(), clients[1]), server)[1] == Verdict.OPENED
    clients[3].next_tsc()  # a number that the server has not seen from address 1, whose key client 3 lacks
    assert open_frame(seal(frame_of(), clients[3]), server)[1] == Verdict.FORGED
    packet, ses = sample(np.random.default_rng(1), PdsType.NACK, NextHeader.NONE, 0)
    path = make_path("10.0.0.2", "10.0.0.1", crc="none")
    n = build_frame(path[0], packet[0], ses[0], PAYLOAD.start, BUFFER.start, BUFFER.room)
    answer = seal(read(BUFFER.start, n), server)
    assert open_frame(answer, clients[3])[1] == Verdict.FORGED
    assert open_frame(answer, clients[1])[1] == Verdict.OPENED


def test_keys_rotate_without_a_gap() -> None:
    sender, receiver = pair_of()
    old = seal(frame_of(), sender)
    for end in (sender, receiver):
        end.install(1, OTHER_KEY, epoch=1)
    sender.use(1)
    assert open_frame(seal(frame_of(), sender), receiver)[1] == Verdict.OPENED
    assert open_frame(old, receiver)[1] == Verdict.OPENED
    with pytest.raises(BadInput, match="in use already"):
        sender.install(0, OTHER_KEY)
    with pytest.raises(BadInput, match="not installed"):
        SecureDomain(1).use(1)


def test_a_used_up_counter_ends_the_key() -> None:
    sender, receiver = pair_of()
    sender.slots[0].counter = (1 << 48) - 1
    assert open_frame(seal(frame_of(), sender), receiver)[1] == Verdict.OPENED
    for _ in range(2):
        with pytest.raises(NoAnswer, match="used up"):
            seal(frame_of(), sender)


def test_every_changed_bit_and_every_cut_is_refused() -> None:
    sender, receiver = pair_of(clear_bytes=12)
    sealed = seal(frame_of(payload=9), sender)
    for bit in range(8 * 26, 8 * len(sealed)):
        forged = bytearray(sealed)
        forged[bit // 8] ^= 1 << bit % 8
        assert open_frame(bytes(forged), receiver)[1] != Verdict.OPENED, bit
    for n in range(len(sealed)):
        assert open_frame(sealed[:n], receiver)[1] != Verdict.OPENED, n
    assert open_frame(frame_of(), receiver)[1] == Verdict.NOT_SECURED
    assert not receiver.slots[0].windows, "a refused frame changes nothing"
    assert open_frame(sealed, receiver)[1] == Verdict.OPENED


def test_a_replay_window_takes_each_number_once_in_any_order() -> None:
    window, rng, taken = ReplayWindow(64), np.random.default_rng(3), set()
    for step in range(5000):
        number = max(0, step // 4 - int(rng.integers(0, 100)) + 20)
        expected = number not in taken and number > window.highest - 64
        assert window.is_new(number) == expected
        if expected:
            window.add(number)
            taken.add(number)


def truncated(frame: bytes, n: int, counter: int) -> bytes:
    """Return a frame over UDP and IPv4 cut to n UET bytes, with lengths that say so and another counter."""
    cut = bytearray(frame[: 42 + n])
    cut[16:18], cut[38:40] = (28 + n).to_bytes(2, "big"), (8 + n).to_bytes(2, "big")
    if n >= 12:
        cut[48:54] = counter.to_bytes(6, "big")
    return bytes(cut)


def attack(n: int, seed: int) -> int:
    """Throw n frames that must not get in at a receiver that has taken 2000; return how many got in."""
    rng, accepted = np.random.default_rng(seed), 0
    sender, receiver = pair_of(window=256)
    plain = [frame_of(payload=8, seed=k) for k in range(16)]
    good = [seal(plain[k % 16], sender) for k in range(2000)]
    for k in rng.permutation(2000 - 256):  # far out of order: what is too old is refused, and tried again below
        open_frame(good[k], receiver)
    for k in range(2000 - 256, 2000):
        assert open_frame(good[k], receiver)[1] == Verdict.OPENED
    stranger = SecureDomain(7)
    stranger.install(0, OTHER_KEY)
    strange = [seal(plain[k % 16], stranger) for k in range(500)]
    before = {source: vars(window).copy() for source, window in receiver.slots[0].windows.items()}
    careless = SecureDomain(7, window=256)  # the sender's key with its counter set back: right tags, used numbers
    careless.install(0, KEY)
    reused = [seal(plain[(k + 1) % 16], careless) for k in range(2000)]
    for _ in range(n):
        kind, frame = int(rng.integers(0, 7)), good[int(rng.integers(0, 2000))]
        if kind == 1:  # forged
            at, changed = int(rng.integers(26, len(frame))), bytearray(frame)
            changed[at] ^= int(rng.integers(1, 256))
            frame = bytes(changed)
        elif kind == 2:  # truncated
            frame = frame[: int(rng.integers(0, len(frame)))]
        elif kind == 3:  # a counter used again, or ahead, under a tag of other content
            other = good[int(rng.integers(0, 2000))]
            frame = frame[:54] + other[54:] if other[42:54] != frame[42:54] else frame
        elif kind == 4:  # another key
            frame = strange[int(rng.integers(0, 500))]
        elif kind == 5:  # a number used again for other content under the right key
            frame = reused[int(rng.integers(0, 2000))]
        elif kind == 6:  # truncated with lengths that fit, under a number ahead of all that came
            frame = truncated(frame, int(rng.integers(0, len(frame) - 42)), int(rng.integers(2000, 1 << 40)))
        accepted += open_frame(frame, receiver)[1] == Verdict.OPENED
    assert {source: vars(window) for source, window in receiver.slots[0].windows.items()} == before
    return accepted


def test_ten_thousand_attacks_get_nothing_in() -> None:
    assert attack(10_000, 1) == 0


@pytest.mark.soak
def test_a_million_attacks_get_nothing_in() -> None:
    assert attack(1_000_000, 2) == 0


def test_start_psns_of_old_contexts_are_refused() -> None:
    rule = StartPsn("0-rtt", expected=0xFFFFFFF0)
    assert rule.demand(0xFFFFFFF0) is None
    assert rule.demand(5) is None  # beyond the wrap
    assert rule.demand(0xFFFFFFEF) == 0xFFFFFFF0
    assert rule.demand(0xFFFFFFEF, challenged=0xFFFFFFF0) == 0xFFFFFFF0
    assert rule.demand(0xFFFFFFF0, challenged=0xFFFFFFF0) is None
    assert rule.closed(5) == 6
    assert rule.closed(2) == 6, "an older context must not move it back"
    assert rule.demand(5) == 6
    always = StartPsn("1-rtt", seed=3)
    first, second = always.demand(1), always.demand(1)
    assert first != second
    assert always.demand(first, challenged=first) is None
    with pytest.raises(BadInput, match="did you mean"):
        StartPsn("0-rt")
