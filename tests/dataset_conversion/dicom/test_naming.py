import pytest

from mass_nnunet.dataset_conversion.dicom.naming import organs_in, parse_naming
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS


def test_organs_have_the_same_values_whatever_their_order():
    naming = parse_naming(["tumour=*tumor*,9", "liver", "spleen=1", "right_kidney=2-3", "left_kidney=Niere links"])
    assert naming.labels == {**LABELS, "tumour": 5}
    assert naming.table() == {0: 0, 1: 1, 2: 2, 3: 2, 9: 5}


def test_structures_are_found_by_number_and_by_name_in_any_spelling():
    naming = parse_naming(["liver", "spleen=1", "right_kidney=*kidney*r*", "left_kidney", "background=body"])
    structures = [(1, "Milz"), (2, "LIVER"), (3, "Left-Kidney"), (4, "Kidney (R)"), (5, "Body"), (6, "kidney_right 2")]
    assert organs_in(structures, naming) == {
        "spleen": (1,),
        "right_kidney": (4, 6),
        "left_kidney": (3,),
        "liver": (2,),
    }


def test_a_structure_that_fits_two_organs_is_refused_unless_one_names_it_exactly():
    naming = parse_naming(["liver=*liver*", "tumour=*tumour*,9", "spleen=Liver bed"])
    assert organs_in([(1, "Liver-bed"), (2, "Liver")], naming) == {"spleen": (1,), "liver": (2,)}
    for number, name in ((1, "Liver tumour"), (9, "Liver bed")):
        with pytest.raises(UserError, match=f"^--labels: the structure {name} is \\w+ and \\w+ by its words: name it"):
            organs_in([(number, name)], naming)


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        (["1liver"], "1liver is not NAME or NAME=WORDS"),
        (["liver="], "liver= is not NAME or NAME=WORDS"),
        (["liver=5-2"], "liver=5-2: values run from 1 to 65535"),
        (["liver=0"], "liver=0: values run from 1 to 65535"),
        (["liver", "liver=2"], "names liver twice"),
        (["liver=1", "spleen=1"], "gives two names to 1"),
        (["liver=Organ", "spleen=organ"], "gives two names to organ"),
        (["background=4"], "names nothing but the background"),
    ],
)
def test_wrong_definitions(definitions, message):
    with pytest.raises(UserError, match=message):
        parse_naming(definitions)
