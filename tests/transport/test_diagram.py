"""The pictures of docs/transport.md are those that the tables give."""

from pathlib import Path
from xml.etree import ElementTree

from uet.transport.diagram import state_diagram, timeline
from uet.transport.lifecycle import TRANSITIONS, State

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def test_the_pictures_in_the_documentation_are_up_to_date():
    assert (IMAGES / "pdc_states.svg").read_text() == state_diagram()
    assert (IMAGES / "pdc_timeline.svg").read_text() == timeline()


def test_every_state_and_transition_is_drawn():
    text = "".join(ElementTree.fromstring(state_diagram()).itertext())
    assert all(state.name in text for state in State)
    assert all(what.name in text for _, what in TRANSITIONS)
