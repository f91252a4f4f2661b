import pytest

from mass_nnunet.dataset_conversion.dicom.codes import anatomy_of


@pytest.mark.parametrize(
    ("name", "meaning", "side"),
    [
        ("liver", "Liver", None),
        ("right_kidney", "Kidney", "Right"),
        ("kidney left", "Kidney", "Left"),
        ("kidneys", "Kidney", None),
        ("inferior_vena_cava", "Inferior vena cava", None),
        ("oesophagus", "Esophagus", None),
        ("left_adrenal_gland", "Adrenal gland", "Left"),
    ],
)
def test_known_organs(name, meaning, side):
    anatomy = anatomy_of(name)
    assert (anatomy.type.meaning, anatomy.type.scheme_designator) == (meaning, "SCT")
    assert (anatomy.side and anatomy.side.meaning) == side
    assert anatomy.category.meaning == "Anatomical Structure"


def test_abnormal_and_unknown_structures():
    assert anatomy_of("liver_tumour").category.meaning == "Morphologically Abnormal Structure"
    own = anatomy_of("chamber of secrets, lower").type
    assert (own.value, own.scheme_designator, own.meaning) == (
        "CHAMBER_OF_SECRE",
        "99MASSNNUNET",
        "chamber of secrets, lower",
    )
