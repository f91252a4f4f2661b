"""The gradient of each term of MASSTrainer's objective in the shared layers, as a share of the supervised one.

    python experiments/gradient_share.py work/phantom --terms teaching place

It trains for some steps and prints the norms of the gradients of the terms, at weight 1, and of the supervised loss in
the decoder that all modalities share, on each n-th batch that has the terms. A term that is 0 there is left out.
"""

import json
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from groups import nnunet_folders
from mass_nnunet.errors import exit_on_user_error
from tune import changed_trainer, training_parser


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
    compute, steps = trainer.loss.compute, count(1)

    def watched(*arguments: Any) -> dict[str, Tensor]:
        terms, step = compute(*arguments), next(steps)
        if set(names) <= terms.keys() and step >= every * (len(rows) + 1):
            found = norms({name: terms[name] for name in ("supervised", *names)}, shared_parameters(trainer.module))
            supervised = found.pop("supervised")
            shares = {name: round(norm / supervised, 4) for name, norm in found.items() if norm > 0}
            rows.append({"step": step, "supervised": round(supervised, 4), **shares})
            print(json.dumps(rows[-1]), flush=True)
        return terms

    trainer.loss.compute = watched
    return rows


def main() -> None:
    parser = training_parser(__doc__.splitlines()[0], epochs=4)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--terms", nargs="+", required=True)
    args = parser.parse_args()
    with exit_on_user_error(), nnunet_folders(args.root.resolve(), results="measured"):
        trainer = changed_trainer(args)
        trainer.disable_checkpointing = True
        trainer.initialize()
        rows = watch(trainer, args.every, args.terms)
        trainer.run_training()
    for name in args.terms:
        shares = [row[name] for row in rows if name in row]
        print(f"{name}: {len(shares)} batches, at weight 1 the share is {np.median(shares or [0]):.2f} (median)")


if __name__ == "__main__":
    main()
