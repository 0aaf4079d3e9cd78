"""Whether the model (farm_model.py) says what can be worked out by hand."""

from dataclasses import replace

from cluster.farm_model import Costs, Farm, Simulation, part_items

FREE = Costs(0, 0, 0, 0, 0, 0, 0, 0)


def near(value, wanted, share=0.02):
    assert abs(value - wanted) <= share * wanted, f"{value} instead of {wanted}"


def one_worker_is_always_busy():
    found = Simulation(Farm(nodes=1, workers=1, way=0.00001), FREE).go(1, 10)
    near(found["busy"], 1)
    near(found["items"], 100)


def no_more_workers_are_busy_than_there_are():
    found = Simulation(Farm(nodes=3, workers=4, hosts=5), FREE).go(1, 5)
    near(found["busy"], 12)


def no_more_parts_are_under_way_than_lanes_hold():
    found = Simulation(Farm(nodes=100, workers=64, lanes=8, way=0.00001), FREE).go(1, 5)
    near(found["busy"], 16)


def a_server_does_what_its_costs_allow():
    costs = replace(FREE, server_part=0.001)
    found = Simulation(Farm(nodes=10, workers=64, item_bytes=1 << 20, card=1e15), costs).go(1, 5)
    near(found["parts"], 1000)
    near(found["server"], 1)


def parts_grow_until_the_server_is_not_in_the_way():
    costs = replace(FREE, server_part=0.001)
    found = Simulation(Farm(nodes=10, workers=64), costs).go(5, 5)
    assert found["part"] > 0.05 and found["busy"] > 60, found


def a_helper_does_what_its_costs_allow():
    costs = replace(FREE, helper_part=0.002)
    found = Simulation(Farm(nodes=10, workers=64), costs).go(1, 5)
    near(found["parts"], 500)
    near(found["helper"], 1)


def two_servers_do_twice_as_much():
    costs = replace(FREE, server_part=0.001)
    one, two = (Simulation(Farm(nodes=10, workers=64, hosts=4, servers=n, item_bytes=1 << 20, card=1e15), costs).go(1, 5)["parts"] for n in (1, 2))
    near(two / one, 2)


def a_card_does_what_its_speed_allows():
    farm = Farm(nodes=10, workers=64, item_bytes=1 << 20, card=100 << 20)
    # Each byte comes in twice, with the part and with its answer.
    near(Simulation(farm, FREE).go(3, 10)["parts"], 50, 0.05)


def each_part_that_has_ended_was_sent():
    simulation = Simulation(Farm(nodes=2, workers=4), FREE)
    simulation.go(0, 5)
    under_way = simulation.sent - simulation.items
    assert 0 <= under_way <= 64 * 2, (simulation.sent, simulation.items)


def a_part_is_as_large_as_the_engine_makes_it():
    assert part_items(Farm(item_time=0.001, item_bytes=8), 0.0001) == 10
    assert part_items(Farm(item_time=0.001, item_bytes=8), 0.002) == 40
    assert part_items(Farm(item_time=0.001, item_bytes=8), 5) == 1000
    assert part_items(Farm(item_time=0.001, item_bytes=1 << 18), 0.002) == 4
    assert part_items(Farm(item_time=1, item_bytes=1 << 24), 0) == 1


def run():
    """Runs all; answers how many. An assertion says what is wrong."""
    tests = [one for name, one in globals().items() if callable(one) and getattr(one, "__module__", "") == __name__ and name not in ("near", "run")]
    for one in tests:
        one()
    return len(tests)
