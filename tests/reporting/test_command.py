"""mass_nnunet visualize, as it is typed: its options."""

from pathlib import Path

from mass_nnunet.cli import main
from mass_nnunet.reporting import model_page


def test_options(monkeypatch):
    asked = []
    monkeypatch.setattr(model_page, "write_model_page", asked.append)
    assert main(["visualize", "ct4", "ct5", "-d", "801"]) == 0
    (args,) = asked
    assert (args.cases, args.d, args.fold, args.output) == (["ct4", "ct5"], 801, 0, Path("visualize.html"))
    assert (args.trainer, args.plans, args.configuration) == ("MASSTrainer", "MASSPlans", "3d_fullres")
    assert (args.checkpoint, args.device) == ("checkpoint_final.pth", None)  # a GPU if there is one
