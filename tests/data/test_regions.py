"""Regions of dataset.json, the classes that they consist of, and the values that nnU-Net writes for them."""

from pathlib import Path

import numpy as np
import pytest
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from mass_nnunet.data.regions import check_regions, classes_of, regions_of
from mass_nnunet.errors import UserError
from region_group import CLASSES, WITH_REGIONS

FILE = Path("dataset.json")
BRATS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}


def test_labels_without_regions_are_what_they_are():
    labels = {"liver": 2, "background": 0, "spleen": 1, "ignore": 3}
    assert list(classes_of(labels).items()) == list(labels.items())
    assert regions_of(labels) == {}


def test_regions_consist_of_classes():
    assert classes_of(BRATS) == {"background": 0, "1": 1, "2": 2, "enhancing": 3}
    assert classes_of(BRATS | {"ignore": 4}) == {"background": 0, "1": 1, "2": 2, "enhancing": 3, "ignore": 4}
    assert classes_of(WITH_REGIONS["labels"]) == CLASSES
    assert regions_of(BRATS | {"ignore": 4}) == {"whole": (1, 2, 3), "core": (2, 3), "enhancing": (3,)}


def test_a_list_of_one_value_is_no_region():
    labels = {"background": 0, "spleen": [1], "liver": 2}
    assert regions_of(labels) == {}
    assert classes_of(labels) == {"background": 0, "spleen": 1, "liver": 2}
    assert not LabelManager(labels, None).has_regions


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (BRATS, [1, 2, 3]),
        ({"background": 0, "kidney": [1, 2, 3], "masses": [2, 3], "tumor": 2}, [1, 3, 2]),
        ({"background": 0, "organ": [1, 2], "vessel": 3}, [1, 3]),  # nothing tells 1 from 2
        (WITH_REGIONS["labels"], WITH_REGIONS["regions_class_order"]),
    ],
)
def test_nnunet_makes_the_label_map_again(labels, order):
    """Its regions are the same; values that no region tells apart may be exchanged."""
    check_regions(FILE, {"labels": labels, "regions_class_order": order})
    manager, regions = LabelManager(labels, order), list(regions_of(labels).values())
    values = np.arange(max(classes_of(labels).values()) + 1).reshape(1, 1, -1)
    masks = np.stack([np.isin(values, region) for region in regions])
    written = manager.convert_probabilities_to_segmentation(masks.astype(float))
    assert all((np.isin(written, region) == mask).all() for region, mask in zip(regions, masks, strict=True))


@pytest.mark.parametrize(
    ("labels", "order", "told"),
    [
        (BRATS, None, "has the regions_class_order None: give a list with one value for each of whole, core, enhancin"),
        (BRATS, [1, 2], r"has the regions_class_order \[1, 2\]: give a list"),
        (BRATS, [1, 2, 4], "with which nnU-Net writes 4 where 3 is"),
        (BRATS, [1, 3, 2], "with which nnU-Net writes 3 where 2 is"),
        ({"background": 0, "tumor": 2, "organ": [1, 2]}, [2, 1], "writes 1 where 2 is: .* give larger regions first"),
        (
            {"background": 0, "body": [0, 1], "organ": 1},
            [1, 1],
            r"region body \[0, 1\]: the values of background",
        ),
        ({"background": 0, "organ": [1, 2], "ignore": 2}, [1], r"the region organ \[1, 2\]: the values of background"),
    ],
)
def test_regions_that_do_not_serve(labels, order, told):
    with pytest.raises(UserError, match=told):
        check_regions(FILE, {"labels": labels, "regions_class_order": order})
