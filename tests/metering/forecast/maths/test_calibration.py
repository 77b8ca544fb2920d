import json

import numpy as np
import pytest

from metering.forecast.maths import Calibration, calibrate, forecast_usage, look_ahead
from metering.forecast.maths.calibration import BINS, EDGES, count_errors, list_horizons, place_horizon, read_beyond
from tests.metering.forecast.maths.makers import daily, weeks_of_days


def noisy(seed, *, noise=0.3):
    return weeks_of_days(30, noise=noise, seed=seed)


def test_it_is_stored_as_plain_numbers():
    calibration = calibrate([noisy(1), noisy(2)], season=7)
    again = Calibration.from_json(json.loads(json.dumps(calibration.as_json())))
    ask = {"used": 100.0, "limit": 900.0, "remaining": 10, "season": 7}
    assert forecast_usage(noisy(3), calibration=again, **ask) == forecast_usage(
        noisy(3), calibration=calibration, **ask
    )


def test_another_version_is_refused():
    with pytest.raises(ValueError, match="version"):
        Calibration.from_json(Calibration().as_json() | {"version": 0})


def test_what_is_faded_counts_less():
    calibration = calibrate([noisy(1)], season=7)
    before = calibration.lessons[place_horizon(7, 7)].errors.sum()
    calibration.fade(0.5)
    assert calibration.lessons[place_horizon(7, 7)].errors.sum() == pytest.approx(before / 2)


def test_what_is_too_short_teaches_nothing():
    calibration = calibrate([daily([1.0] * 20), daily([0.0] * 90), daily([])], season=7)
    assert sum(each.errors.sum() for each in calibration.lessons) == 0.0


def test_horizons_have_places_of_their_own():
    for season in (1, 7, 24, 96):
        places = dict(list_horizons(season))
        assert len(set(places.values())) == len(places)
        assert all(place_horizon(horizon, season) == place for place, horizon in places.items())


def test_errors_are_counted_where_they_lie():
    counts = count_errors(np.array([0.0, 0.0, 1e300, -1e300, 1.0]))
    assert (counts.sum(), counts[BINS // 2], counts[-1], counts[0]) == (5.0, 2.0, 1.0, 1.0)
    beyond = read_beyond(1000 * count_errors(np.array([-1.0, 1.0])))
    assert np.interp(0.0, EDGES, beyond) == pytest.approx(0.5)
    assert (np.diff(beyond) <= 0).all()


def test_others_errors_widen_the_range_of_a_series_without_its_own():
    calm, wild = calibrate([noisy(1, noise=0.02)], season=7), calibrate([noisy(1, noise=0.02)], season=7)
    place = place_horizon(7, 7)
    wild.lessons[place].errors[:] = calm.lessons[place].errors.sum() / BINS
    few = daily([10.0, 12.0, 9.0, 11.0, 10.0, 4.0, 4.0] * 2)
    ranges = [look_ahead(few, remaining=7, season=7, calibration=each).close for each in (calm, wild)]
    widths = [each.quantile(0.9) - each.quantile(0.1) for each in ranges]
    assert widths[1] > 3 * widths[0]


def test_ranges_cover_what_they_say_on_accounts_never_seen():
    """Twenty accounts teach, 160 are judged: between 75 and 85 of a hundred totals lie in the range."""
    calibration = calibrate([noisy(seed) for seed in range(1000, 1020)], season=7)
    covered = []
    for seed in range(160):
        values = noisy(seed).values
        close = look_ahead(daily(values[:180]), remaining=7, season=7, calibration=calibration).close
        covered.append(close.quantile(0.1) <= values[180:187].sum() <= close.quantile(0.9))
    assert 0.75 <= np.mean(covered) <= 0.85
