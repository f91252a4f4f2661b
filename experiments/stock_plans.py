"""Stock nnU-Net's own plans of datasets, as `nnUNetv2_plan_and_preprocess` makes them."""

from collections.abc import Sequence

from nnunetv2.experiment_planning.plan_and_preprocess_api import (
    extract_fingerprints,
    plan_experiments,
    preprocess,
)

from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import TRAINING, RawDataset
from mass_nnunet.runtime.env import temporary_environment

CONFIGURATION = "3d_fullres"


def plan_stock(group: Sequence[RawDataset], processes: int) -> None:
    """Plan and preprocess datasets by stock nnU-Net; those whose scans are all preprocessed are left alone."""
    new = [raw.id for raw in group if not _is_done(raw)]
    if new:
        extract_fingerprints(new, num_processes=processes, clean=True)
        with temporary_environment({"nnUNet_n_proc_DA": "1"}):  # the planner takes it for a number of threads
            plan_experiments(new)
        preprocess(new, configurations=[CONFIGURATION], num_processes=[processes])


def _is_done(raw: RawDataset) -> bool:
    """Whether nnU-Net has written the last file of every scan; a killed run leaves the folder with some of them."""
    arrays = dataset_folder("preprocessed", raw.id) / f"nnUNetPlans_{CONFIGURATION}"
    return {file.stem for file in arrays.glob("*.pkl")} >= set(raw.cases(TRAINING))
