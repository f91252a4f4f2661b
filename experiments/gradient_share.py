"""The gradient of each term of MASSTrainer's objective in the shared layers, as a share of the supervised one.

    python experiments/gradient_share.py work/phantom --terms teaching place

It trains for some steps and prints the norms of the gradients of the terms, at weight 1, and of the supervised loss in
the decoder that all modalities share, on each n-th batch that has the terms. A term that is 0 there is left out.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.run.run_training import get_trainer_from_args
from torch import Tensor

from groups import nnunet_folders
from mass_nnunet import trainers
from mass_nnunet.errors import exit_on_user_error
from tune import assignment, change


def shared_parameters(network: Any) -> list[Tensor]:
    """What all modalities share, but the segmentation heads, which no consistency of features trains."""
    decoder = network.first_decoder
    return [p for part in (decoder.stages, decoder.transpconvs) for p in part.parameters()]


def norms(terms: dict[str, Tensor], parameters: list[Tensor]) -> dict[str, float]:
    """Norm of the gradient of each term in the parameters."""
    found = {}
    for name, value in terms.items():
        if value.requires_grad:
            gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
            found[name] = float(torch.cat([g.flatten() for g in gradients if g is not None] or [torch.zeros(1)]).norm())
    return found


def watch(trainer: Any, every: int, names: list[str]) -> list[dict[str, Any]]:
    """Rows that fill up during a training: the norms on the batches of every n-th step that has all of the terms."""
    rows: list[dict[str, Any]] = []
    compute, count = trainer.loss.compute, [0]

    def watched(*arguments: Any) -> dict[str, Tensor]:
        terms = compute(*arguments)
        count[0] += 1
        if set(names) <= terms.keys() and count[0] >= every * (len(rows) + 1):
            found = norms({name: terms[name] for name in ("supervised", *names)}, shared_parameters(trainer.module))
            supervised = found.pop("supervised")
            shares = {name: round(norm / supervised, 4) for name, norm in found.items() if norm > 0}
            rows.append({"step": count[0], "supervised": round(supervised, 4), **shares})
            print(json.dumps(rows[-1]), flush=True)
        return terms

    trainer.loss.compute = watched
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder with nnU-Net's raw, preprocessed and results")
    parser.add_argument("--method", default="MASSTrainer", choices=sorted(trainers.__all__))
    parser.add_argument("-d", default="801", help="dataset to train; its partners come along")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--terms", nargs="+", required=True)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="hyperparameters")
    parser.add_argument("--weight", nargs="*", default=[], metavar="TERM=VALUE")
    args = parser.parse_args()
    changes = [dict(map(assignment, words)) for words in (args.set, args.weight)]
    with exit_on_user_error(), nnunet_folders(args.root.resolve(), results="measured"):
        torch.manual_seed(args.seed)
        np.random.seed(args.seed)  # noqa: NPY002, what nnU-Net draws from
        change(args.method, *changes)
        device = torch.device("cpu")
        trainer = get_trainer_from_args(args.d, "3d_fullres", args.fold, args.method, "MASSPlans", False, device)
        trainer.num_epochs, trainer.num_iterations_per_epoch = args.epochs, args.iterations
        trainer.disable_checkpointing = True
        trainer.initialize()
        start = time.process_time()
        rows = watch(trainer, args.every, args.terms)
        trainer.run_training()
        print(f"{time.process_time() - start:.0f} s of processor time")
    for name in args.terms:
        shares = [row[name] for row in rows if name in row]
        print(f"{name}: {len(shares)} batches, at weight 1 the share is {np.median(shares or [0]):.2f} (median)")


if __name__ == "__main__":
    main()
