from mass_nnunet.benchmark.palette import styles


def test_twelve_methods_look_different_and_each_always_alike():
    methods = [f"m{number}" for number in range(12)]
    looks = styles(methods)
    assert len({(look.colour, look.is_hollow) for look in looks.values()}) == 12
    assert len({look.marker for look in looks.values()}) == 12
    assert styles(methods[:3]) == {method: looks[method] for method in methods[:3]}
    assert looks["m0"].colour in looks["m0"].key and "transparent" in looks["m8"].key
    assert looks["m8"].line["markerfacecolor"] == "white"
