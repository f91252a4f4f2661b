"""A trained model that segments scans in memory, with the numbers of ``nnUNetv2_predict``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from mass_nnunet.data.paths import FINAL_CHECKPOINT
from mass_nnunet.data.regions import classes_of
from mass_nnunet.errors import UserError

from .best_atlas import Registered, register_best
from .loading import Fold, branches_of, chosen_branch, load_model, predicting_by
from .scan import Images, Scan, as_scan
from .uncertainty import Uncertainty, disagreement, entropy


@dataclass(frozen=True)
class Prediction:
    """What one branch of a model predicts for a scan, on the scan's grid.

    Attributes:
        labels: values of the labels (Z, Y, X).
        probabilities: probability of each class (K, Z, Y, X), the background first, or of each region (R, Z, Y, X).
            Where nnU-Net crops away an empty border, the background has probability 1.
        names: name of each label by its value.
        branch: the branch.
        scan: the scan, in the model's orientation, in which ``labels`` and ``probabilities`` are, too.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    names: dict[int, str]
    branch: str
    scan: Scan

    @property
    def image(self) -> sitk.Image:
        """The labels on the grid of the SimpleITK image that was given.

        Raises:
            UserError: the scan came as an array.
        """
        return self.scan.label_image(self.labels)


class Model:
    """A trained model of any trainer of this package, or of stock nnU-Net.

    Args:
        predictor: nnU-Net's predictor of the model, of :func:`mass_nnunet.api.loading.load_model`.
    """

    def __init__(self, predictor: nnUNetPredictor) -> None:
        self.predictor = predictor

    @classmethod
    def load(
        cls,
        folder: str | Path,
        folds: Fold | Sequence[Fold] = 0,
        *,
        checkpoint: str = FINAL_CHECKPOINT,
        device: str | torch.device | None = None,
        tile_step_size: float = 0.5,
    ) -> "Model":
        """Load a model from its results folder.

        Args:
            folder: for example ``nnUNet_results/Dataset801_BTCV/MASSTrainer__MASSPlans__3d_fullres``.
            folds: one fold, or several, whose logits are averaged.
            checkpoint: name of the checkpoint's file.
            device: default: a GPU if there is one.
            tile_step_size: step of the sliding window, as a share of the patch; 0.5 is nnU-Net's default.

        Raises:
            UserError: there is no such model, or it is not safe to load (:func:`mass_nnunet.api.loading.load_model`).
        """
        arguments = (Path(folder), folds, checkpoint, device)
        model = cls(load_model(*arguments, mirroring=True, tile_step_size=tile_step_size))
        if len(model.predictor.configuration_manager.patch_size) != 3 or model._needs_previous_stage:
            raise UserError(f"{folder} is a 2D or a cascaded configuration: load one that segments whole scans in 3D")
        return model

    @property
    def _needs_previous_stage(self) -> bool:
        return self.predictor.configuration_manager.previous_stage_name is not None

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that can predict: some of ``segmentation`` (the head), ``adapted``, ``atlas`` and ``fused``."""
        return branches_of(self.predictor.network)

    @property
    def branch(self) -> str:
        """The branch that ``nnUNetv2_predict`` uses, which the model's plans name."""
        return chosen_branch(self.predictor.network)

    @property
    def has_atlases(self) -> bool:
        """Whether :meth:`register` works."""
        return getattr(self.predictor.network, "atlases", None) is not None

    @property
    def labels(self) -> dict[int, str]:
        """Name of each label by its value; where labels are regions, of each of their values
        (:func:`mass_nnunet.data.regions.classes_of`)."""
        return {value: name for name, value in classes_of(self.predictor.dataset_json["labels"]).items()}

    def segment(self, scan: Images, spacing: Sequence[float] | None = None, *, branch: str | None = None) -> Prediction:
        """Segment a scan as ``nnUNetv2_predict`` does.

        Args:
            scan: SimpleITK image in any orientation; or an array (Z, Y, X) with its axes as those of the training
                scans, which for plans of this package end at the patient's head, front and right (Z, Y, X).
            spacing: voxel size (z, y, x) in mm; for an array only.
            branch: one of :attr:`branches`; default :attr:`branch`.

        Raises:
            UserError: the scan does not fit the model, or the model has no such branch.
        """
        chosen = branch or self.branch
        return self.segment_by_branches(scan, spacing, branches=[chosen])[chosen]

    def segment_by_branches(
        self, scan: Images, spacing: Sequence[float] | None = None, *, branches: Sequence[str] | None = None
    ) -> dict[str, Prediction]:
        """As :meth:`segment`, by several branches; the scan is preprocessed once.

        Args:
            scan: as in :meth:`segment`.
            spacing: as in :meth:`segment`.
            branches: default all.

        Raises:
            UserError: as in :meth:`segment`.
        """
        checked, names = self._scan(scan, spacing), self._branches(branches)
        data, properties = self._preprocess(checked)
        predictor, found = self.predictor, {}
        for name in names:
            labels, probabilities = convert_predicted_logits_to_segmentation_with_correct_shape(
                self._logits(data, name),
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.label_manager,
                properties,
                return_probabilities=True,
            )
            found[name] = Prediction(labels, probabilities, self.labels, name, checked)
        return found

    def uncertainty(
        self, scan: Images, spacing: Sequence[float] | None = None, *, branches: Sequence[str] | None = None
    ) -> Uncertainty:
        """How sure the model is of a scan, for each voxel of the network's grid and for the scan.

        Args:
            scan: as in :meth:`segment`.
            spacing: as in :meth:`segment`.
            branches: default all; with one there is no disagreement.

        Raises:
            UserError: as in :meth:`segment`, or the model's labels are regions.
        """
        if self.predictor.label_manager.has_regions:
            raise UserError("the model's labels are regions, which have no probabilities that sum to one: segment only")
        checked, names = self._scan(scan, spacing), self._branches(branches)
        data, _ = self._preprocess(checked)
        parts = [self._logits(data, name).float().softmax(0).numpy() for name in names]
        spread = disagreement(parts)
        unsure = np.mean([entropy(part) for part in parts], axis=0)
        return Uncertainty(unsure, spread, sum(parts[1:], parts[0]) / len(parts), self.spacing)

    def register(self, scan: Images, spacing: Sequence[float] | None = None) -> Registered:
        """Register the model's annotated atlases to a scan, and return the most similar one with its field.

        Args:
            scan: as in :meth:`segment`.
            spacing: as in :meth:`segment`.

        Raises:
            UserError: as in :meth:`segment`, or the model has no atlases.
        """
        if not self.has_atlases:
            raise UserError(f"a model of {self.predictor.trainer_name} has no atlases to register: use MASSTrainer's")
        data, _ = self._preprocess(self._scan(scan, spacing))
        logits = self._logits(data, self.branch)
        labels = self.predictor.label_manager.convert_logits_to_segmentation(logits).numpy()
        with torch.inference_mode():
            patch = self.predictor.configuration_manager.patch_size
            registration = register_best(self.predictor.network, data, labels, patch)
        return Registered(registration, self.spacing)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size (z, y, x) of the network's grid in mm."""
        z, y, x = self.predictor.configuration_manager.spacing
        return float(z), float(y), float(x)

    def _scan(self, scan: Images, spacing: Sequence[float] | None) -> Scan:
        reader = self.predictor.plans_manager.plans["image_reader_writer"]
        content = self.predictor.dataset_json
        return as_scan(scan, spacing, reader, len(content.get("channel_names", content.get("modality"))))

    def _branches(self, branches: Sequence[str] | None) -> tuple[str, ...]:
        names = self.branches if branches is None else tuple(branches)
        if absent := [name for name in names if name not in self.branches]:
            raise UserError(f"the model does not predict by {absent[0]!r}: choose from {', '.join(self.branches)}")
        return names

    def _preprocess(self, scan: Scan) -> tuple[torch.Tensor, dict[str, Any]]:
        """The scan (C, Z, Y, X) on the network's grid, and what nnU-Net needs to lead labels back."""
        predictor, configuration = self.predictor, self.predictor.configuration_manager
        data, _, properties = configuration.preprocessor_class(verbose=False).run_case_npy(
            scan.array,
            None,
            {"spacing": list(scan.spacing)},
            predictor.plans_manager,
            configuration,
            predictor.dataset_json,
        )
        return torch.from_numpy(data).float(), properties

    def _logits(self, data: torch.Tensor, branch: str) -> torch.Tensor:
        """Logits (K, Z, Y, X) of one branch, on the CPU."""
        with predicting_by(self.predictor.network, branch):
            return self.predictor.predict_logits_from_preprocessed_data(data).cpu()
