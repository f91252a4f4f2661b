from mass_nnunet.export.adapted_model import ADAPTED_TRAINER, adapted_checkpoint, adapted_plans
from mass_nnunet.hyperparameters import complete

PLANS = {
    "plans_name": "MASSPlans",
    "mass": {
        "modality": "MRI",
        "modalities": [{"name": "CT", "dataset": "Dataset801_A"}, {"name": "MRI", "dataset": "Dataset802_B"}],
        "inference": "fused",
        "hyperparameters": complete({"intensity_weight": 3.0}).as_plans(),
    },
    "secret": "/archive",
}


def test_plans_are_of_one_modality_and_keep_what_the_trainer_fixes():
    plans = adapted_plans(PLANS, {"refinement_steps": 7})
    assert plans.keys() == {"plans_name", "mass"}
    mass = plans["mass"]
    assert mass["modalities"] == [{"name": "MRI", "dataset": "Dataset802_B"}]
    assert (mass["modality"], mass["inference"]) == ("MRI", "adapted")
    assert (mass["hyperparameters"]["intensity_weight"], mass["hyperparameters"]["refinement_steps"]) == (3.0, 7)
    assert PLANS["mass"]["inference"] == "fused"


def test_checkpoint_is_that_of_a_network_of_one_modality():
    plain = {"network_weights": {"encoder.w": 1}, "trainer_name": "x", "init_args": {"plans": {}, "fold": 0}, "axes": 2}
    assert adapted_checkpoint(plain, {"mass": 3}, {"labels": 4}) == {
        "network_weights": {"unets.0.encoder.w": 1},
        "trainer_name": ADAPTED_TRAINER,
        "init_args": {"plans": {"mass": 3}, "fold": 0, "dataset_json": {"labels": 4}},
        "axes": 2,
    }
