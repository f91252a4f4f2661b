"""Check that a change of the code changes no result: digests of weights, logs and predictions, bit by bit.

    python experiments/bit_equality.py work                    # train, predict, and compare with the recorded digests
    python experiments/bit_equality.py work --record           # ... and record them instead
    python experiments/bit_equality.py work --models OTHER     # predict with models that another version has trained

Every trainer runs two epochs on the tiny group of the tests (one thread, fixed seeds). The digests are those of the
commit that wrote bit_equality.json last: a commit that changes results on purpose records them anew. They hold for one
kind of processor and one version of torch; elsewhere record them first, with the commit before the change.
"""

import argparse
import hashlib
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import torch

from mass_nnunet.networks.blocks import NATIVE_BFLOAT16

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "helpers"), str(TESTS)]  # the second for commits with the helpers in tests/
RECORD = Path(__file__).with_suffix(".json")
FOLD = 0
SCANS = {"801": ("Dataset801_CTS", "cttest"), "802": ("Dataset802_MRS", "mrtest")}


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 of the bytes of all arrays."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:16]


def kind() -> dict[str, str]:
    """What the digests depend on besides the code: what the processor computes with, and the version of torch."""
    native = ", bfloat16" if NATIVE_BFLOAT16 else ""
    return {"processor": torch.backends.cpu.get_cpu_capability() + native, "torch": torch.__version__}


def seed() -> None:
    """Set every random generator that a training draws from."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from


def train(name: str) -> dict[str, str]:
    """Train one method, and return digests of its final weights and of its log."""
    from tiny_group import trainer

    seed()
    training = trainer(name)
    build = training.get_dataloaders

    def loaders() -> tuple:
        result = build()
        seed()  # the number of patches sampled to build the loaders is no result
        return result

    training.get_dataloaders = loaders
    training.run_training()
    network = getattr(training, "module", training.network)
    weights = [tensor.numpy() for _, tensor in sorted(network.state_dict().items())]
    log = training.logger.get_checkpoint()
    kept = {key: log[key] for key in sorted(log) if key.startswith("mass_") or key in ("train_losses", "val_losses")}
    values = [np.asarray(values, dtype=np.float64) for values in kept.values()]
    return {"weights": digest(*weights), "log": digest(*values), "terms": " ".join(kept)}


def predict(name: str, root: Path) -> dict[str, str]:
    """Predict a test scan with each model of a method and every inference, and return digests of the logits."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    found = {}
    for ident, (dataset, case) in SCANS.items():
        model = root / "results" / dataset / f"{name}__MASSPlans__3d_fullres"
        if not (model / f"fold_{FOLD}" / "checkpoint_final.pth").is_file():
            continue
        predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(model), (FOLD,))
        configuration = predictor.configuration_manager
        scan, *_ = configuration.preprocessor_class(verbose=False).run_case(
            [str(root / "raw" / dataset / "imagesTs" / f"{case}_0000.nii.gz")],
            None,
            predictor.plans_manager,
            configuration,
            predictor.dataset_json,
        )
        for inference in getattr(predictor.network, "inferences", ("segmentation",)):
            if hasattr(predictor.network, "inference"):
                predictor.network.inference = inference
            with torch.inference_mode():
                logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(scan).float())
            found[f"{ident} {inference}"] = digest(logits.numpy())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "root", type=Path, help="folder for the tiny group and the models; must be new, or of a run before"
    )
    parser.add_argument("--record", action="store_true", help=f"write the digests to {RECORD.name}")
    parser.add_argument("--models", type=Path, help="root of another run: predict with its models, and train nothing")
    parser.add_argument("--methods", nargs="+", help="default: all")
    args = parser.parse_args()

    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    expected = recorded.pop("digests")
    if not args.record and recorded != kind():
        print(f"recorded with {recorded}, this is {kind()}: record first, with the commit before the change")
        return 2

    torch.set_num_threads(1)
    os.environ.update(nnUNet_n_proc_DA="0", nnUNet_def_n_proc="1", nnUNet_compile="f")
    from tiny_group import make_group, variables

    root = (args.models or args.root).resolve()
    if not (root / "preprocessed").is_dir():
        make_group(root, 2, 5)
    os.environ.update(variables(root))
    from mass_nnunet import trainers

    methods = args.methods or trainers.__all__
    digests = {}
    for name in methods:
        digests[name] = ({} if args.models else train(name)) | predict(name, root)
        print(name, json.dumps(digests[name], indent=1), flush=True)
    if args.record:
        RECORD.write_text(json.dumps(kind() | {"digests": digests}, indent=1) + "\n", encoding="utf-8")
        return 0
    other = [
        f"{name}: {key} was {expected.get(name, {}).get(key)}, is {value}"
        for name, found in digests.items()
        for key, value in found.items()
        if expected.get(name, {}).get(key) != value
    ]
    print(
        "\n".join(other) or f"all {sum(map(len, digests.values()))} digests of {len(digests)} methods are as recorded"
    )
    return bool(other)


if __name__ == "__main__":
    sys.exit(main())
