"""Print what encoding, decoding, framing and checksums cost per packet.

    python benchmarks/wire.py

Each figure is the best of 25 rounds of one kernel that loops over 64 different packets in cache.
"""

import platform
import time

import numpy as np

from uet.base.jit import kernel
from uet.transport.record import PACKET, SES, NextHeader, PdsType
from uet.transport.wire.build import build_frame
from uet.transport.wire.codec import decode, encode
from uet.transport.wire.crc32c import HAS_CRC32, crc32c, crc32c_by_table
from uet.transport.wire.parse import parse_frame
from uet.transport.wire.path import PATH, make_path
from uet.transport.wire.sizes import header_bytes

N = 64
SLOT = 5000


@kernel
def encode_many(packets, sess, out, rounds):
    for r in range(rounds):
        i = r % N
        encode(packets[i], sess[i], out + i * SLOT, SLOT)


@kernel
def decode_many(packets, sess, data, length, rounds):
    good = 0
    for r in range(rounds):
        i = r % N
        good += decode(data + i * SLOT, length, length, packets[i], sess[i]) > 0
    return good


@kernel
def build_many(path, packets, sess, payload, out, rounds):
    n = 0
    for r in range(rounds):
        i = r % N
        n = build_frame(path, packets[i], sess[i], payload, out + i * SLOT, SLOT)
    return n


@kernel
def parse_many(path, found, packets, sess, data, length, rounds):
    good = 0
    for r in range(rounds):
        i = r % N
        good += parse_frame(path, data + i * SLOT, length, packets[i], sess[i], found) > 0
    return good


@kernel
def crc_many(data, n, rounds):
    total = 0
    for r in range(rounds):
        total += crc32c(data + r % N, n)
    return total


@kernel
def crc_table_many(data, n, rounds):
    total = 0
    for r in range(rounds):
        total += crc32c_by_table(data + r % N, n)
    return total


def best_ns(run, rounds: int) -> float:
    run(10)
    times = []
    share = rounds // 10
    for _ in range(25):
        start = time.perf_counter_ns()
        run(share)
        times.append(time.perf_counter_ns() - start)
    return min(times) / share


def rows(kind: PdsType, next_hdr: NextHeader, payload: int):
    packets, sess = PACKET.zeros(N), SES.zeros(N)
    packets["pds_type"], packets["next_hdr"], packets["payload_bytes"] = kind, next_hdr, payload
    packets["detail"] = 3 if next_hdr == NextHeader.REQUEST_STD else 1
    packets["psn"] = sess["message_id"] = np.arange(N)
    return packets, sess


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, SSE4.2 CRC: {HAS_CRC32}")
    buffer = np.zeros(N * SLOT, np.uint8)
    out = buffer.ctypes.data
    kinds = [
        (PdsType.RUD_REQ, NextHeader.REQUEST_STD),
        (PdsType.ACK_CC, NextHeader.NONE),
        (PdsType.NACK, NextHeader.NONE),
    ]
    for kind, next_hdr in kinds:
        packets, sess = rows(kind, next_hdr, 0)
        n = int(header_bytes(kind, next_hdr))
        encoding = best_ns(lambda k: encode_many(packets, sess, out, k), 1_000_000)  # noqa: B023
        decoding = best_ns(lambda k: decode_many(packets, sess, out, n, k), 1_000_000)  # noqa: B023
        print(f"{kind.name:10} {n:3} B   encode {encoding:6.1f} ns   decode {decoding:6.1f} ns")
    payload = np.zeros(4096, np.uint8)
    found = PATH.zeros(1)
    for crc in ("none", "refprov"):
        for size in (0, 4096):
            path = make_path("10.0.0.1", "10.0.0.2", crc=crc)
            packets, sess = rows(PdsType.RUD_REQ, NextHeader.REQUEST_STD, size)
            n = build_many(path[0], packets, sess, payload.ctypes.data, out, N)
            building = best_ns(lambda k: build_many(path[0], packets, sess, payload.ctypes.data, out, k), 100_000)  # noqa: B023
            parsing = best_ns(lambda k: parse_many(path[0], found[0], packets, sess, out, n, k), 100_000)  # noqa: B023
            print(f"frame {n:5} B, CRC {crc:8} build {building:7.1f} ns   parse {parsing:7.1f} ns")
    for n in (64, 4200):
        fast = best_ns(lambda k: crc_many(out, n, k), 100_000)  # noqa: B023
        slow = best_ns(lambda k: crc_table_many(out, n, k), 20_000)  # noqa: B023
        print(f"CRC-32C of {n:4} B   chosen {fast:7.1f} ns   table {slow:7.1f} ns")


if __name__ == "__main__":
    main()
