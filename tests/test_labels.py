from mass_nnunet.labels import LABELS, number_labels


def test_datasets_with_the_same_organs_have_the_same_labels():
    assert number_labels(["liver", "left_kidney", "spleen", "right_kidney"]) == LABELS
    assert number_labels(["tumour", "liver", "background", "cyst"]) == {
        **{"background": 0, "liver": 1},
        **{"tumour": 2, "cyst": 3},
    }
