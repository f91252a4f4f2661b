from mass_nnunet.benchmark.report.palette import styles


def test_twelve_methods_look_different_and_each_always_alike():
    methods = [f"m{number}" for number in range(12)]
    looks = styles(dict(zip(methods, methods, strict=True)))
    assert len({(look.colour, look.is_hollow) for look in looks.values()}) == 12
    assert len({look.marker for look in looks.values()}) == 12
    assert styles({method: method for method in methods[:3]}) == {method: looks[method] for method in methods[:3]}
    assert looks["m0"].colour in looks["m0"].key and "transparent" in looks["m8"].key
    assert looks["m8"].line["markerfacecolor"] == "white"


def test_what_a_trainer_predicts_by_has_its_colour_and_a_marker_of_its_own():
    trainers = {f"t{number} ({name})": f"t{number}" for number in range(12) for name in ("head", "atlas", "fused")}
    looks = styles(trainers)
    assert len({(look.colour, look.is_hollow) for look in looks.values()}) == 12
    assert len(set(looks.values())) == 36
