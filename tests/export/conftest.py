import json

import pytest
import torch

from exported_model import SECRET
from mass_nnunet.cli import main
from quick_training import train_quickly
from tiny_group import CT, MRI, make_group, trainer, use_folders


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The root of nnU-Net's folders with models that have hardly learned anything.

    Their files name scans and paths, as those of some converters do.
    """
    root = tmp_path_factory.mktemp("export")
    make_group(root, 2, 2, "--inference", "fused")
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, root)
        train_quickly(patch)
        for name in (CT, MRI):
            dataset = root / "preprocessed" / name / "dataset.json"
            content = json.loads(dataset.read_text()) | {"training": [{"image": SECRET}], "licence": "CC-BY-SA 4.0"}
            content["reference"] = f"Who has made {name}"
            dataset.write_text(json.dumps(content))
        for name in ("MASSTrainer", "SupervisedTrainer"):
            torch.manual_seed(0)
            one = trainer(name)
            one.num_epochs = 1
            one.run_training()
    return root


@pytest.fixture(scope="module")
def root(models):
    """The models, in nnU-Net's folders."""
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, models)
        yield models


@pytest.fixture(scope="session")
def exported(models):
    """The zip of each model."""
    zips = {}
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, models)
        for name, ident, kind in ((CT, "801", "MASS"), (MRI, "802", "MASS"), ("supervised", "801", "Supervised")):
            zips[name] = models / f"{name}.zip"
            assert main(["export", "-d", ident, "-tr", f"{kind}Trainer", "-o", str(zips[name])]) == 0
    return zips
