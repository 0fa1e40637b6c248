"""Known packets decode to the fields that their descriptions name, and encode back byte for byte."""

import json

import pytest
from wire_vectors import EMITTED, WRITTEN

from uet.base.errors import BadInput
from uet.transport.wire.assemble import encode_packet
from uet.transport.wire.dissect import decode_packet
from uet.transport.wire.headers import HEADERS
from uet.transport.wire.plain import decode_header, encode_header

# header name -> fields, read by hand from the layouts in uet-ref-prov, xdp2 and the Wireshark dissector
EXPECTED = {
    "rud_syn_write_8B": {
        "pds.rud_req": {"next_hdr": 3, "flags": 0x0C, "ar": 1, "syn": 1, "retx": 0, "psn": 0x10000,
                        "clear_psn_offset": -1, "spdcid": 1, "pdc_info": 0, "psn_offset": 0},
        "ses.request_std": {"opcode": 1, "rel": 1, "som": 1, "eom": 1, "hd": 0, "message_id": 7, "job_id": 0x101,
                            "pid_on_fep": 3, "resource_index": 5, "buffer_offset": 0x1000, "initiator": 0x11,
                            "memory_key": 0x0102030405060708, "header_data": 0, "request_length": 8},
        "payload": {"data": "0001020304050607"},
    },
    "rud_second_syn_packet": {"pds.rud_req": {"syn": 1, "psn_offset": 1, "clear_psn_offset": -2, "psn": 0x10001}},
    "rud_established": {"pds.rud_req": {"syn": 0, "dpdcid": 0x22, "clear_psn_offset": -3}},
    "rod_retx": {"pds.rod_req": {"retx": 1, "ar": 1, "syn": 0}},
    "rud_cc_req": {"pds.rud_cc_req": {"ccc_id": 4, "credit_target": 0x40}},
    "ack_default_rsp": {
        "pds.ack": {"cack_psn": 0x10000, "ack_psn_offset": 0, "spdcid": 0x22, "dpdcid": 1},
        "ses.response": {"list": 0, "opcode": 0, "return_code": 1, "message_id": 7, "job_id": 0x101},
    },
    "ack_clear_req_rc": {
        "pds.ack": {"req": 1, "ack_psn_offset": 2},
        "ses.response": {"opcode": 1, "return_code": 1, "modified_length": 8},
    },
    "ack_cc_nscc": {
        "pds.ack_cc": {"m": 1, "ack_psn_offset": 3, "cc_type": 0, "mpr": 1, "sack_psn_offset": 0, "sack_bitmap": 0b1001,
                       "service_time": 8, "restore_cwnd": 0, "rcv_cwnd_pend": 0, "rcvd_bytes": 0x40, "ooo_count": 1},
    },
    "ack_cc_credit": {"pds.ack_cc": {"cc_type": 1, "credit": 0x80, "ooo_count": 0}},
    "nack_trimmed": {"pds.nack": {"nack_code": 1, "nack_psn": 0x10014, "spdcid": 0x22, "dpdcid": 1, "nt": 0}},
    "nack_rod_ooo": {"pds.nack": {"nack_code": 0x0D, "nack_psn": 0x10016, "payload": 0x10014}},
    "nack_new_start_psn": {"pds.nack": {"nack_code": 0x17, "payload": 0xABCDEF}},
    "cp_close": {"pds.cp": {"ctl_type": 4, "ar": 1, "psn": 0x10020, "spdcid": 1, "dpdcid": 0x22, "payload": 0}},
    "cp_clear": {"pds.cp": {"ctl_type": 2, "psn": 0, "clear_psn": 0x1001F, "payload": 0x1001F}},
    "cp_ack_request": {"pds.cp": {"ctl_type": 1, "psn": 0x10012, "message_id": 7}},
    "cp_probe": {"pds.cp": {"ctl_type": 6, "probe_opaque": 0xBEEF, "sack_base_psn": 0x10010}},
    "cp_credit": {"pds.cp": {"ctl_type": 7, "credit": 0x80}},
    "cp_credit_req": {"pds.cp": {"ctl_type": 8, "ccc_id": 4, "credit_target": 0x40}},
    "rudi_req": {"pds.rudi_req": {"pkt_id": 0x12345678, "next_hdr": 3}},
    "rudi_rsp": {"pds.rudi_resp": {"pkt_id": 0x12345678, "m": 1}, "ses.response": {"modified_length": 8}},
    "uud_med_dgram": {
        "pds.uud_req": {"next_hdr": 2},
        "ses.request_medium": {"opcode": 7, "request_length": 16, "rel": 0, "initiator": 0x11, "match_bits": 0},
    },
    "small_write": {"ses.request_small": {"opcode": 1, "request_length": 64, "buffer_offset": 0x2000}},
    "read_rsp_data": {
        "pds.rud_req": {"next_hdr": 5},
        "ses.response_data": {"message_id": 9, "read_request_message_id": 7, "payload_length": 64,
                              "modified_length": 64, "message_offset": 0},
    },
    "atomic_sum_u64": {
        "ext.atomic": {"opcode": 2, "datatype": 7, "semantic_control": 0},
        "payload": {"data": "0500000000000000"},
    },
    "neg_on_off": {"pds.cp": {"ctl_type": 9, "isrod": 1, "ar": 1, "syn": 1, "neg_type": 1, "neg_length": 2,
                              "feature_mask": 1}},
    "tss_hdr_no_ssi": {"tss": {"sp": 0, "an": 0, "sdi": 1, "epoch": 0, "counter": 1}},
    "tss_hdr_ssi": {"tss": {"sp": 1, "an": 1, "sdi": 1, "ssi": 0x0A000001, "counter": 2}},
    "frame_udp_no_crc": {
        "ipv4": {"dscp": 0, "ecn": 2, "df": 1, "total_length": 92, "ttl": 64, "protocol": 17, "src": 0x0A000001},
        "udp": {"src_port": 0xC0DE, "dst_port": 4793, "length": 72, "checksum": 0},
    },
    "frame_ip253_no_crc": {"ipv4": {"protocol": 253}, "entropy": {"entropy": 0xC0DE}},
    "frame_udp_crc_refprov_le": {"crc": {"variant": "refprov", "valid": 1, "crc": 0xBD5C19FA}},
    "frame_udp_crc_payload_be": {"crc": {"variant": "payload-be", "valid": 1, "crc": 0x302F5B8F}},
    "RUD_CC req ccc_id 0x77 credit_target 0x887766": {"pds.rud_cc_req": {"ccc_id": 0x77, "credit_target": 0x887766}},
    "RUD req (retx)": {"pds.rud_req": {"retx": 1, "syn": 0, "psn": 0x98765432, "clear_psn_offset": 0x1234,
                                       "spdcid": 0x3456, "dpdcid": 0x9ABC}},
    "ACK m retx req=1": {
        "pds.ack": {"m": 1, "retx": 1, "p": 0, "req": 1, "ack_psn_offset": 0x8642 - 0x10000, "cack_psn": 0x2468ACE0},
        "ses.response": {"list": 3, "opcode": 1, "return_code": 9, "message_id": 0x1234, "modified_length": 0x9ABCDEF},
    },
    "ACK_CC CREDIT (cc_type 1)": {
        "pds.ack_cc": {"cc_type": 1, "cc_flags": 15, "mpr": 0x87, "sack_psn_offset": 0x9988 - 0x10000,
                       "sack_bitmap": 0x123456789ABCDEF0, "credit": 0x123456, "ooo_count": 0x8765},
    },
    "NACK RUDI PDC_MODE_MISMATCH + SES response": {
        "pds.nack": {"m": 1, "retx": 1, "nt": 1, "nack_code": 0x16, "vendor_code": 0x87, "nack_pkt_id": 0x99887766,
                     "payload": 0x56789ABC},
    },
    "DEFERRABLE_SEND std (restart tokens)": {
        "ses.request_std": {"initiator_restart_token": 0x87654321, "target_restart_token": 0x12345678},
    },
    "ATOMIC std + ext": {"ext.atomic": {"opcode": 10, "datatype": 12, "semantic_control": 0xC7}},
    "ATOMIC medium + CSWAP ext": {
        "ext.compare_swap": {"opcode": 0x11, "datatype": 12, "compare": 0x98765432987654322345678923456789,
                             "swap": 0x0123456789ABCDEFFEDCBA0987654321},
    },
    "RUDI rsp + small data response": {
        "ses.response_data_small": {"list": 3, "opcode": 2, "return_code": 9, "payload_length": 0x3456,
                                    "job_id": 0x036870, "original_request_psn": 0x1234},
    },
}  # fmt: skip

PACKETS = {**WRITTEN, **EMITTED}
ALONE = {"tagged_rndv_ext"}  # an extension without the headers it follows


def _link(name: str) -> str:
    return "ethernet" if name.startswith("frame") else "uet"


@pytest.mark.parametrize("name", sorted(set(PACKETS) - ALONE))
def test_packet_decodes_without_error_and_encodes_to_the_same_bytes(name: str) -> None:
    packet = bytes.fromhex(PACKETS[name])
    document = decode_packet(packet, _link(name))
    assert document["errors"] == []
    assert encode_packet(json.loads(json.dumps(document))) == packet
    ends = [h["offset"] + h["length"] for h in document["headers"]]
    assert [h["offset"] for h in document["headers"]] == [0, *ends[:-1]]
    assert ends[-1] == len(packet)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_packet_has_the_fields_it_was_written_with(name: str) -> None:
    document = decode_packet(bytes.fromhex(PACKETS[name]), _link(name))
    headers = {h["name"]: h["fields"] for h in document["headers"]}
    for header, fields in EXPECTED[name].items():
        assert {field: headers[header].get(field) for field in fields} == fields


def test_extension_alone_decodes_and_encodes() -> None:
    extension = HEADERS["ext.rendezvous"]
    data = bytes.fromhex(WRITTEN["tagged_rndv_ext"])
    found = decode_header(extension, data)
    assert found.fields == {
        "eager_length": 4096, "read_ri_generation": 0, "read_pid_on_fep": 3, "read_resource_index": 5,
        "read_offset": 0x2000, "read_memory_key": 0x0102030405060708,
    }  # fmt: skip
    assert encode_header(extension, found.fields) == data


def test_rendezvous_extension_follows_a_standard_header() -> None:
    send = bytearray.fromhex(WRITTEN["rud_syn_write_8B"][: 2 * 56])
    send[12] = 6  # RENDEZVOUS_SEND
    packet = bytes(send) + bytes.fromhex(WRITTEN["tagged_rndv_ext"]) + bytes(8)
    document = decode_packet(packet, "uet", "none")
    assert [h["name"] for h in document["headers"]] == ["pds.rud_req", "ses.request_std", "ext.rendezvous", "payload"]
    assert document["warnings"] == ["payload: 8 bytes are there, 4096 are announced"]


@pytest.mark.parametrize("name", ["rud_syn_write_8B", "ack_cc_nscc", "nack_trimmed", "rudi_rsp"])
def test_packet_built_from_named_fields_alone(name: str) -> None:
    """Types, next headers and lengths need not be given, nor views such as flags."""
    packet = bytes.fromhex(PACKETS[name])
    document = decode_packet(packet, "uet")
    for header in document["headers"]:
        for field in ("type", "next_hdr", "flags", "ack_cc_state"):
            header["fields"].pop(field, None)
    if name == "nack_trimmed":
        document["headers"][0]["fields"]["next_hdr"] = 0
    assert encode_packet(document) == packet


def test_frame_built_without_lengths_and_checksums() -> None:
    for name in ("frame_udp_no_crc", "frame_ip253_no_crc", "frame_udp_crc_refprov_le", "frame_udp_crc_payload_be"):
        packet = bytes.fromhex(PACKETS[name])
        document = decode_packet(packet)
        for header in document["headers"]:
            for field in ("ethertype", "ihl", "total_length", "protocol", "header_checksum", "length", "crc"):
                header["fields"].pop(field, None)
        assert encode_packet(document) == packet, name


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([], "a packet document is"),
        ([{"name": "pds.akc"}], "did you mean 'pds.ack'"),
        ([{"name": "pds.ack", "fields": {"cack_pns": 1}}], "did you mean 'cack_psn'"),
        ([{"name": "pds.ack", "fields": {"cack_psn": 1 << 32}}], "write a whole number from 0 to 4294967295"),
        ([{"name": "pds.ack", "fields": {"ack_psn_offset": 40000}}], "from -32768 to 32767"),
        ([{"name": "pds.ack", "fields": {"probe_opaque": 1}}], "field probe_opaque needs p=1"),
        ([{"name": "pds.rud_req", "fields": {"flags": 8, "syn": 1}}], "flags and syn contradict"),
        ([{"name": "pds.ack", "fields": {"type": 10}}], "it must be 7"),
        ([{"name": "payload", "fields": {"data": "0g"}}], "hexadecimal digits"),
        ([{"name": "ipv4", "fields": {"src": "10.0.0.256"}}], "is not an IPv4 address"),
        ([{"name": "crc", "fields": {"variant": "refprov"}}], "put an ipv4 or ipv6 header in front"),
    ],
)
def test_wrong_documents_are_refused_with_the_remedy(headers: list, message: str) -> None:
    with pytest.raises(BadInput, match=message.replace("(", r"\(")):
        encode_packet({"headers": headers})
