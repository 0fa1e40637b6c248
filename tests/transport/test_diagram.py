"""The pictures of docs/transport.md are those that the tables give, and the packets those that the engine sends."""

from pathlib import Path
from xml.etree import ElementTree

from engine_net import Net2, name, nth

from uet.transport.diagram import TIMELINE, state_diagram, timeline
from uet.transport.lifecycle import TRANSITIONS, State
from uet.transport.record import NackCode, PdsFlag
from uet.transport.wire.codes import ControlType

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
NAMES = {f"NACK {NackCode.TRIMMED:#x}": "NACK TRIMMED", f"CP {ControlType.CLOSE_COMMAND}": "CP CLOSE_COMMAND"}


def test_the_pictures_in_the_documentation_are_up_to_date():
    assert (IMAGES / "pdc_states.svg").read_text() == state_diagram()
    assert (IMAGES / "pdc_timeline.svg").read_text() == timeline()


def test_every_state_and_transition_is_drawn():
    text = "".join(ElementTree.fromstring(state_diagram()).itertext())
    assert all(state.name in text for state in State)
    assert all(what.name in text for _, what in TRANSITIONS)


def test_the_timeline_is_what_the_engine_does():
    net, seen = Net2(cc__window_bytes=2 * (4096 + 108)), []
    net.engine.post(0, 1, 4 * 4096)
    start, third = int(net.pdc(0)["tx_start"]), nth("RUD_REQ", 2, "trim")

    def watch(packet):
        number = (int(packet["psn"]) - start) % 2**32
        asked = packet["src"] == 0
        words = {PdsFlag.SYN: "syn", PdsFlag.RETX: "retx", PdsFlag.AR: "ar"} if asked else {PdsFlag.RETX: "retx"}
        flags = {word for flag, word in words.items() if packet["pds_flags"] & flag}
        kind = NAMES.get(name(packet), name(packet))
        seen.append((int(packet["src"]), kind, number, flags, int(packet["sack_offset"] * packet["sack_bitmap"])))
        return third(packet)

    net.run(watch)
    net.engine.close(0, 1, net.now)
    net.run(watch)
    drawn = [(s, kind, n, set(remark.split(":")[0].split()) & {"syn", "ar", "retx"}) for s, kind, n, remark in TIMELINE]
    assert [entry[:4] for entry in seen] == drawn
    selective = [n + sack for _, _, n, _, sack in seen if sack]
    assert [f"selective: s+{k}" for k in selective] == [r for _, _, _, r in TIMELINE if r.startswith("selective")]
