"""Promises of the meter: it adds up what counters say, also when one begins again, and says None
where there are none."""

import numpy as np
import pytest

from minillm.training.energy import Meter

RANGE = 1000


@pytest.fixture
def package(tmp_path):
    """Two packages and a part of one, which belongs to it already."""
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "max_energy_range_uj").write_text(str(RANGE), encoding="ascii")
        (tmp_path / name / "energy_uj").write_text("0", encoding="ascii")
    return lambda i: tmp_path / f"intel-rapl:{i}" / "energy_uj"


def test_it_adds_up_all_packages_also_when_a_counter_begins_again(package, tmp_path):
    rng, truth, meter = np.random.default_rng(0), np.zeros(2, int), Meter(tmp_path)
    for _ in range(50):
        truth += rng.integers(0, RANGE, 2)
        for i, total in enumerate(truth):
            package(i).write_text(str(total % RANGE), encoding="ascii")
        package("0:0").write_text(str(int(rng.integers(RANGE))), encoding="ascii")
        assert meter.read() == pytest.approx(truth.sum() / 1e6, rel=1e-12)


def test_without_counters_nothing_is_known(tmp_path):
    assert Meter(tmp_path / "nowhere").read() is None


def test_a_counter_that_can_no_longer_be_read_makes_it_unknown(package, tmp_path):
    meter = Meter(tmp_path)
    package(1).unlink()
    assert meter.read() is None and meter.read() is None
