import re

from mass_nnunet.data import machine


def test_a_machine_has_one_name_and_another_one_another(monkeypatch):
    machine.here.cache_clear()
    name = machine.here()
    assert re.fullmatch("[0-9a-f]{8}", name)
    machine.here.cache_clear()
    assert machine.here() == name
    machine.here.cache_clear()
    for part in ("view", "boot"):
        with monkeypatch.context() as patch:
            patch.setattr(machine, part, lambda: "pid:[1]")
            assert machine.here() != name
        machine.here.cache_clear()
