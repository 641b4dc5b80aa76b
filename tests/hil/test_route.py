"""The driven vehicle: limits, corners, arrival, new routes on the move."""

import math
import random
from itertools import pairwise

import pytest

from hil.path import Plane
from hil.route import ACCEL_MAX_MPS2, SPEED_MAX_MPS, Limits, Vehicle

START = (24.513, 117.647)
PLANE = Plane(*START)
Sample = tuple[float, float, float, float]  # east, north, speed east, speed north


def sample(vehicle: Vehicle) -> Sample:
    course = math.radians(vehicle.course_deg)
    east, north = PLANE.to_metres(*vehicle.position)
    speed = vehicle.speed_mps
    return east, north, speed * math.sin(course), speed * math.cos(course)


def check_limits(samples: list[Sample], dt_s: float) -> None:
    for a, b in pairwise(samples):
        assert math.hypot(*b[2:]) <= SPEED_MAX_MPS + 1e-6
        assert math.dist(a[:2], b[:2]) <= SPEED_MAX_MPS * dt_s + 0.01
        assert math.dist(a[2:], b[2:]) / dt_s <= 3.0


def random_route(chance: random.Random, corners: int) -> list[tuple[float, float]]:
    east = north = 0.0
    points = [START]
    for _ in range(corners):
        length, angle = chance.choice([2, 10, 40, 100, 300]), chance.uniform(0, 2 * math.pi)
        if chance.random() < 0.5:
            angle = chance.randrange(4) * math.pi / 2
        east, north = east + length * math.cos(angle), north + length * math.sin(angle)
        points.append(PLANE.to_degrees((east, north)))
    return points


@pytest.mark.parametrize("seed", range(40))
def test_any_route_is_driven_within_limits_to_its_end(seed: int) -> None:
    chance = random.Random(seed)
    hz = chance.choice([1, 5])
    vehicle = Vehicle(*START)
    route = random_route(chance, 8)
    vehicle.take_route(route, Limits(chance.choice([8, 14, 20]), chance.choice([1.5, 2.5, 3])))
    samples, ended = [sample(vehicle)], None
    for _ in range(1000 * hz):
        if chance.random() < 0.02 and len(samples) < 200:
            route = [vehicle.position, *random_route(chance, 3)]
            vehicle.take_route(route, Limits(20, 3))
        ended = vehicle.advance(1 / hz)
        samples.append(sample(vehicle))
        if ended:
            break
    assert ended == "arrived"
    check_limits(samples, 1 / hz)
    assert math.dist(samples[-1][:2], PLANE.to_metres(*route[-1])) < 0.05
    assert vehicle.speed_mps == 0
    assert vehicle.advance(5) is None


def north_of(metres: float) -> tuple[float, float]:
    return PLANE.to_degrees((0.0, metres))


def test_a_straight_drive_takes_as_long_as_physics_says() -> None:
    vehicle = Vehicle(*START)
    vehicle.take_route([START, north_of(300)], Limits(14, 2.5))
    seconds = 0.0
    while vehicle.advance(0.1) is None:
        seconds += 0.1
    least = 300 / 14 + 14 / (2 * 2.5) * 2
    assert least <= seconds <= least + 4


def test_speed_rises_smoothly() -> None:
    vehicle = Vehicle(*START)
    vehicle.take_route([START, north_of(500)], Limits(20, 3))
    speeds = [0.0]
    while vehicle.speed_mps < 19.9:
        vehicle.advance(0.1)
        speeds.append(vehicle.speed_mps)
    rises = [(b - a) / 0.1 for a, b in pairwise(speeds)]
    assert max(rises) <= ACCEL_MAX_MPS2 + 1e-6
    assert rises[0] < 0.5
    assert max(abs(b - a) / 0.1 for a, b in pairwise(rises)) <= 4.5


def test_a_corner_is_slower_than_the_straight_and_near_the_corner() -> None:
    corner = north_of(150)
    end = PLANE.to_degrees((150.0, 150.0))
    vehicle = Vehicle(*START)
    vehicle.take_route([START, corner, end], Limits(20, 2.5))
    closest, speed_there = 1e9, 0.0
    fastest = 0.0
    while vehicle.advance(0.05) is None:
        off = math.dist(PLANE.to_metres(*vehicle.position), (0, 150))
        fastest = max(fastest, vehicle.speed_mps)
        if off < closest:
            closest, speed_there = off, vehicle.speed_mps
    assert fastest > 15
    assert 2 < speed_there < 5
    assert closest <= 4.1


def test_stop_brakes_on_the_way_and_forgets_the_route() -> None:
    vehicle = Vehicle(*START)
    vehicle.take_route([START, north_of(1000)], Limits(20, 2.5))
    vehicle.advance(15)
    before = sample(vehicle)
    vehicle.stop()
    samples, ended = [before], None
    while ended is None:
        ended = vehicle.advance(1)
        samples.append(sample(vehicle))
    assert ended == "stopped"
    assert not vehicle.is_driving
    check_limits(samples, 1)
    braking_m = samples[-1][1] - before[1]
    assert 400 / (2 * 3) < braking_m < 400 / (2 * 1.5)


def test_a_route_to_where_we_stand_arrives_at_once() -> None:
    vehicle = Vehicle(*START)
    vehicle.take_route([START], Limits())
    assert vehicle.advance(1) == "arrived"


def test_the_same_road_goes_on_without_braking() -> None:
    vehicle = Vehicle(*START)
    vehicle.take_route([START, north_of(400)], Limits(14, 2.5))
    vehicle.advance(12)
    vehicle.take_route([vehicle.position, north_of(400), north_of(900)], Limits(14, 2.5))
    for _ in range(20):
        vehicle.advance(1)
        assert vehicle.speed_mps == pytest.approx(14, abs=0.01)
