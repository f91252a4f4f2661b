"""Logits and the label map of one scan by nnU-Net's predictor; run as a program, it knows nothing of this package."""

import sys
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor


def predict(predictor: nnUNetPredictor, scan: Path, output: Path) -> None:
    """Write ``output`` with the suffixes .npy (logits (K, Z, Y, X) on the network's grid) and .nii.gz."""
    configuration = predictor.configuration_manager
    data, *_ = configuration.preprocessor_class(verbose=False).run_case(
        [str(scan)], None, predictor.plans_manager, configuration, predictor.dataset_json
    )
    with torch.inference_mode():
        logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(data).float())
    np.save(output.with_suffix(".npy"), logits.numpy())
    predictor.predict_from_files_sequential([[str(scan)]], [str(output)])


if __name__ == "__main__":
    model, scan, output = (Path(word) for word in sys.argv[1:])
    stock = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    stock.initialize_from_trained_model_folder(str(model), (0,))
    assert "mass_nnunet" not in sys.modules
    predict(stock, scan, output)
