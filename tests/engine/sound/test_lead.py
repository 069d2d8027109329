"""How much sound lies ready."""

import pytest

from instrument.engine.sound.lead import (
    KEYED_LEAD_S,
    LEAD_S,
    MAX_LEAD_S,
    PLAYED_LEAD_S,
    PLAYED_S,
    STEP_S,
    UNLEARN_S,
    Lead,
)


def test_it_is_short_while_a_person_plays():
    lead = Lead()
    assert lead.seconds(0.0, 0, keyed=False, load=0.1) == LEAD_S
    lead.played = 100.0
    assert lead.seconds(100.0, 0, keyed=False, load=0.1) == PLAYED_LEAD_S
    assert lead.seconds(99.9 + PLAYED_S, 0, keyed=False, load=0.1) == PLAYED_LEAD_S
    assert lead.seconds(100.0 + PLAYED_S, 0, keyed=False, load=0.1) == LEAD_S
    assert lead.seconds(200.0, 0, keyed=True, load=0.1) == KEYED_LEAD_S, "a sound model waits for keys"


def test_starved_blocks_make_it_longer_until_there_are_none():
    lead = Lead()
    lead.seconds(0.0, 5, keyed=True, load=0.0)
    lead = Lead()
    lead.seconds(0.0, 5, keyed=False, load=0.0)  # before a person plays
    lead.played = 1.0
    assert lead.seconds(1.0, 5, keyed=False, load=0.0) == PLAYED_LEAD_S
    assert lead.seconds(1.1, 6, keyed=False, load=0.0) == pytest.approx(PLAYED_LEAD_S + STEP_S)
    assert lead.seconds(1.2, 9, keyed=False, load=0.0) == pytest.approx(PLAYED_LEAD_S + 2 * STEP_S)
    for i in range(20):
        assert lead.seconds(1.3, 10 + i, keyed=False, load=0.0) <= LEAD_S
    now = 1.3
    longest = lead.seconds(now, 30, keyed=False, load=0.0)
    leads = []
    for _ in range(10):
        now = lead.played = now + UNLEARN_S
        leads.append(lead.seconds(now, 30, keyed=False, load=0.0))
    assert leads == sorted(leads, reverse=True)
    assert longest == LEAD_S
    assert leads[-1] == PLAYED_LEAD_S, "what was learned is unlearned"


def test_expensive_mixing_makes_it_longer():
    lead = Lead()
    assert KEYED_LEAD_S < lead.seconds(0.0, 0, keyed=True, load=0.5) < MAX_LEAD_S
    assert lead.seconds(0.0, 0, keyed=True, load=1.0) == MAX_LEAD_S
