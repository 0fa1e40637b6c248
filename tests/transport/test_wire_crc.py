"""CRC-32C: the check value, table against instruction against plain Python; the Internet checksum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import GuardedBuffer

from uet.transport.wire import crc32c as jitted
from uet.transport.wire.checksum import crc32c, internet_checksum
from uet.transport.wire.internet_checksum import ip_checksum

BUFFER = GuardedBuffer()
CHECK = (b"123456789", 0xE3069283)  # the catalogue's check value of CRC-32/ISCSI
ZEROS = (bytes(32), 0x8A9136AA)  # RFC 3720 appendix B.4
ONES = (b"\xff" * 32, 0x62A8AB43)  # RFC 3720 appendix B.4
RISING = (bytes(range(32)), 0x46DD794E)  # RFC 3720 appendix B.4


@pytest.mark.parametrize(("data", "value"), [CHECK, ZEROS, ONES, RISING])
def test_known_values(data: bytes, value: int) -> None:
    assert crc32c(data) == value
    assert jitted.crc32c(BUFFER.put(data), len(data)) == value
    assert jitted.crc32c_by_table(BUFFER.put(data), len(data)) == value


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_table_instruction_and_plain_agree(data: bytes) -> None:
    address = BUFFER.put(data)
    assert jitted.crc32c(address, len(data)) == jitted.crc32c_by_table(address, len(data)) == crc32c(data)


@pytest.mark.skipif(not jitted.HAS_CRC32, reason="no SSE4.2 on this CPU, or kernels are plain Python")
def test_the_instruction_is_used_where_the_cpu_has_it() -> None:
    assert jitted.crc32c is jitted.crc32c_by_instruction
    from numba import njit

    fresh = njit(jitted.crc32c_by_instruction.py_func)  # code from the disk cache carries no assembly
    fresh(BUFFER.start, 16)
    assert "crc32q" in "".join(fresh.inspect_asm().values())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_internet_checksums_agree(data: bytes) -> None:
    assert ip_checksum(BUFFER.put(data), len(data)) == internet_checksum(data)


def test_internet_checksum_of_the_rfc_1071_example() -> None:
    data = bytes.fromhex("0001f203f4f5f6f7")  # sum ddf2
    assert internet_checksum(data) == 0xDDF2 ^ 0xFFFF
    words = np.frombuffer(data + (0xDDF2 ^ 0xFFFF).to_bytes(2, "big"), np.uint8).tobytes()
    assert ip_checksum(BUFFER.put(words), len(words)) == 0
