"""``mass_nnunet turn -i SCANS -o TURNED``: the pose of oblique scans for prediction, and predictions turned back."""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import SimpleITK as sitk

from mass_nnunet.data.nifti_file import ENDINGS
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.volume import on_grid_of, read_volume, write_volume
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.workers import map_cases

from .readers.nifti_case import keyed
from .source import stem, visible_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet turn``."""
    parser.add_argument("-i", type=Path, required=True, metavar="IN", help="folder of NIfTI files")
    parser.add_argument("-o", type=Path, required=True, metavar="OUT", help="folder for the turned files")
    parser.add_argument(
        "--like",
        type=Path,
        metavar="SCANS",
        help="turn predictions to the stored axes of these scans (default: turn scans as `convert` turns oblique ones)",
    )
    parser.add_argument("-np", "--processes", type=int, default=2, help="worker processes (default 2)")


def run(args: argparse.Namespace) -> None:
    """Turn all files, and print how many were stored in other axes.

    Raises:
        UserError: a folder or a file is bad, or a prediction has no scan or is not on its grid.
    """
    if args.processes < 1:
        raise UserError(f"-np {args.processes} is not at least 1")
    files = _files(args.i)
    if args.o.exists() and args.o.samefile(args.i):
        raise UserError(f"-o {args.o} is the folder of -i: give another one")
    scans = None if args.like is None else _scans(args.like)
    if scans is not None:
        for path in files:
            if stem(path) not in scans:
                raise UserError(f"{path} has no scan in {args.like}: expected {stem(path)}_0000.nii.gz")
    args.o.mkdir(parents=True, exist_ok=True)
    results = map_cases(
        partial(turn_file, folder=args.o, scans=scans), files, processes=args.processes, description="turning"
    )
    if errors := [str(result) for result in results if isinstance(result, UserError)]:
        raise UserError("\n".join(errors))
    print(f"wrote {len(files)} files to {args.o}: {sum(map(bool, results))} were stored in other axes")


def turn_file(path: Path, *, folder: Path, scans: Mapping[str, Path] | None) -> bool | UserError:
    """Turn one file, without resampling.

    Args:
        path: the file.
        folder: folder to write it to.
        scans: the scan of each prediction, by name; None to turn scans.

    Returns:
        Whether its axes have changed, or the error in it.
    """
    try:
        image = read_volume(path)
        if scans is None:
            turned = Pose.SLICES.turn(image)
        else:
            scan_file = scans[stem(path)]
            scan = read_volume(scan_file)
            turned, _ = on_grid_of(scan, scan_file, image, path)
            turned.CopyInformation(scan)
    except UserError as error:
        return error
    ending = path.name.removeprefix(stem(path))
    write_volume(turned, folder / f"{stem(path)}{ending.lower()}")
    return _axes(turned) != _axes(image)


def _axes(image: sitk.Image) -> str:
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())


def _files(folder: Path) -> list[Path]:
    if found := visible_files(folder, *ENDINGS):
        return found
    raise UserError(f"{folder} holds no NIfTI file (*.nii.gz, *.nii): give the folder of the scans")


def _scans(folder: Path) -> dict[str, Path]:
    """The first channel of each scan of a folder, by the name that nnU-Net gives its prediction."""
    files = _files(folder)
    firsts = [path for path in files if stem(path).endswith("_0000")]
    return keyed(((stem(path).removesuffix("_0000"), path) for path in firsts or files), "scan")
