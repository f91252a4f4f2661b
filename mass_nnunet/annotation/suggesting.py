"""The list of the scans to annotate next, its page, and their export to an editor."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pandas as pd
from nnunetv2.utilities.file_path_utilities import get_output_folder
from tqdm import tqdm

from mass_nnunet.api import Model
from mass_nnunet.data.files import atomic_path, write_json
from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.volume import write_volume
from mass_nnunet.errors import UserError
from mass_nnunet.reporting.html import check_page, write_page

from .certainty import Certainty, assess, propose
from .exchange import Outgoing, check_new, write_export
from .page import plot_scan, suggestion_page
from .pool import Pool, load_pools, splits_file
from .suggestion import Suggestion, suggest, survey

_BY_COVERAGE = (
    "Chosen by coverage alone, without a model and without labels: the scans that stand for most of the unlabelled "
    "ones which no annotated scan is like."
)
_BY_MODEL = (
    "Chosen by coverage, weighted by the uncertainty of {model}: the scans that stand for most of the unlabelled ones "
    "of which the model is unsure and which no annotated scan is like. Uncertainty is 1 minus the Dice that the model "
    "expects of itself; it ranks scans, and does not say how good a segmentation is."
)


def write_suggestions(args: argparse.Namespace) -> None:
    """Write the list, the page and the export that the options of ``mass_nnunet suggest`` ask for."""
    for option, value in (("-n", args.n), ("-np", args.np)):
        if value < 1:
            raise UserError(f"{option} {value} is not at least 1")
    check_page(args.output)  # the list that is written beside it could be the same file
    if args.export is not None:
        check_new(args.export)
    pools = load_pools(args.d, args.fold)

    @cache
    def model(dataset: str) -> Model:
        folder = get_output_folder(dataset, args.trainer, args.plans, args.configuration)
        return Model.load(folder, args.fold, checkpoint=args.checkpoint, device=args.device)

    by_model = args.trainer is not None
    if by_model:
        base_folder("results")
        for pool in pools:
            model(pool.dataset.name)

    def its_certainty(pool: Pool, files: Sequence[Path]) -> Certainty:
        return assess(model(pool.dataset.name), files, quick=args.quick)

    surveyed = [survey(pool, args.np, its_certainty if by_model else None) for pool in pools]
    suggestions = suggest(surveyed, args.n)
    named = {pool.dataset.name: pool for pool in pools}
    with tempfile.TemporaryDirectory() as temporary:
        scans = []
        for one in tqdm(suggestions, desc="drawing", unit="case"):
            pool = named[one.dataset]
            files, proposal = pool.files(one.case), None
            if by_model:
                proposal = Path(temporary) / one.dataset / f"{one.case}.nii.gz"
                write_volume(propose(model(one.dataset), files), proposal)
            scans.append(Outgoing(pool.dataset, one.case, files, proposal))
        _write_list(args, suggestions, scans, Path(temporary))
        if args.export is not None:
            has_splits = all(splits_file(pool.dataset).exists() for pool in pools)
            write_export(args.export, args.fold if has_splits else None, list(named), scans)
    print("\n".join(f"{one.rank:3d}. {one.case} ({one.modality}): {one.reason}" for one in suggestions))
    print(f"wrote {args.output}" + ("" if args.export is None else f" and {args.export}"))


def _write_list(
    args: argparse.Namespace, suggestions: Sequence[Suggestion], scans: Sequence[Outgoing], temporary: Path
) -> None:
    """Write the list as JSON, as CSV and as a page."""
    pictures = {}
    for one, scan in zip(suggestions, scans, strict=True):
        picture = temporary / f"{one.rank}.png"
        plot_scan(scan.files[0], scan.proposal, one.modality, scan.dataset.values, picture)
        pictures[one.dataset, one.case] = picture
    model = None if args.trainer is None else f"{args.trainer}, {args.plans}, fold {args.fold}"
    rows = [asdict(one) for one in suggestions]
    write_json(args.output.with_suffix(".json"), {"model": model, "fold": args.fold, "scans": rows})
    with atomic_path(args.output.with_suffix(".csv")) as file:
        pd.DataFrame(rows).to_csv(file, index=False)
    method = _BY_COVERAGE if model is None else _BY_MODEL.format(model=model)
    write_page(args.output, suggestion_page(suggestions, pictures, method, _next(args)))


def _next(args: argparse.Namespace) -> list[str]:
    """The next commands to type."""
    ids = " ".join(map(str, dict.fromkeys(args.d)))
    folder = args.export or "FOLDER"
    again = f"mass_nnunet suggest -d {ids} -n {args.n} -f {args.fold}"
    again += f" -tr {args.trainer} -p {args.plans} -c {args.configuration}" if args.trainer else ""
    lines = [] if args.export else [f"{again} --export {folder}"]
    return [*lines, f"mass_nnunet annotate-in {folder} -d {ids}"]
