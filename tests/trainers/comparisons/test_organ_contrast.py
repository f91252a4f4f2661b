"""The twins with random organ contrast, and prediction with intensity adaptation, which every head can have."""

import pytest
import torch

from mass_nnunet import trainers
from mass_nnunet.api.loading import load_model
from mass_nnunet.trainers.comparisons import organ_contrast
from method_checks import INSIDE, PATCH, model_folder, trained
from tiny_group import CT

TWINS = [name for name in trainers.__all__ if getattr(trainers, name).__module__ == organ_contrast.__name__]


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_differs_from_its_method_in_the_augmentation_alone(name):
    twin, method = getattr(trainers, name), getattr(trainers, name.removesuffix("OrganContrast"))
    assert issubclass(twin, method)
    assert vars(twin).keys() <= {"__module__", "__doc__", "__firstlineno__", "__static_attributes__"}
    assert (twin.CHANGES, twin.TERMS, twin.inferences) == (method.CHANGES, method.TERMS, method.inferences)
    assert method.augmented(None, "scans", "labels") == "scans"


@pytest.mark.parametrize("name", ["MMKDTrainerOrganContrast", "DTCTrainerOrganContrast", "TCSMTrainerOrganContrast"])
def test_a_model_predicts_with_and_without_intensity_adaptation(root, name):
    assert name in TWINS
    trained(name)
    predictor = load_model(model_folder(root, CT, name), 0, "checkpoint_final.pth", torch.device("cpu"))
    network, scan, logits = predictor.network, torch.randn(1, *PATCH), {}
    assert network.inferences == ("segmentation", "adapted")
    with torch.no_grad():
        for inference in network.inferences:
            network.inference = inference
            logits[inference] = predictor.predict_sliding_window_return_logits(scan)[INSIDE].float()
    assert not torch.allclose(logits["segmentation"], logits["adapted"], atol=0.1)
