"""What the soak would notice: a soak that overlooks a lost row is worth nothing."""

import random

import numpy as np
import pytest

from scoring.running.store import Rows
from tests.soak.rows import Ledger, rows_in


def write(store, index, value, seconds=1.0):
    rows = Rows(store / "finetune-digits-0123", "key")
    with rows.lock(lambda: None):
        rows.write(index, {"values": np.full(3, float(value)), "seconds": np.array(seconds)})


@pytest.fixture
def ledger(tmp_path):
    for store in ("undisturbed", "soaked"):
        for index in range(4):
            write(tmp_path / store, index, value=index, seconds=random.random())
    ledger = Ledger(tmp_path / "soaked", rows_in(tmp_path / "undisturbed"))
    assert ledger.check() == ([], [])
    return ledger


def test_a_row_that_vanishes_is_lost(ledger):
    there = ledger.complete()
    sorted(there)[2].unlink()
    assert ["is lost" in sentence for sentence in ledger.check()[1]] == [True]
    assert ["is lost" in sentence for sentence in ledger.check(there)[1]] == [True]


def test_a_row_with_other_bits_is_noticed(ledger):
    write(ledger.store, 4, value=4)
    write(ledger.store, 1, value=np.nextafter(1.0, 2.0))
    first, second, third = ledger.check()[1]
    assert "00001.row was complete and has been written again" in first
    assert "00001.row has other bits" in second
    assert "00004.row has other bits" in third


def test_a_flipped_bit_is_expected_until_the_row_is_made_again(ledger):
    assert ledger.damage(random.Random(0), 1) == 1
    assert ledger.check() == ([], [])
    (damaged,) = ledger.damaged
    index = int(damaged.stem)
    write(ledger.store, index, value=index)
    assert ledger.check() == ([damaged], [])
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert "is damaged" in ledger.check()[1][-1]


def test_removed_rows_may_come_back_with_the_same_bits(ledger):
    moments = random.Random(1)
    while not ledger.remove(moments):
        pass
    assert ledger.check() == ([], [])
    for path in list(ledger.removed):
        write(ledger.store, int(path.stem), value=int(path.stem))
    removed = len(ledger.removed)
    assert ledger.check() == ([], [])
    assert ledger.made_again == removed
