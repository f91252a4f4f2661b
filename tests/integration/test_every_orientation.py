"""The phantom comes out of every mix of storage unchanged: the same values at the same millimetres."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from mass_nnunet.cli import main
from mass_nnunet.data.volume import read_volume
from mass_nnunet.dataset_conversion.datasets import btcv, chaos
from mass_nnunet.dataset_conversion.source import Case
from mass_nnunet.dataset_conversion.staging import Stage
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from mass_nnunet.phantom.patient import SyntheticScan, make_patient
from native_trees import AXIS_CODES, affine, same_content, source, write_btcv_case, write_planes, write_slices

SIZE = (8, 18, 22)  # (Z, Y, X): no two alike
# CHAOS's own, from its description: not those of the product.
GRAY_INTERVALS = {"liver": (55, 70), "right_kidney": (110, 135), "left_kidney": (175, 200), "spleen": (240, 255)}
# Folder, subfolder of each phase, and echo time in ms.
SERIES = {"T2SPIR": ("T2SPIR", "", "70"), "T1IN": ("T1DUAL", "InPhase", "4.6"), "T1OUT": ("T1DUAL", "OutPhase", "2.3")}
# No search for a smaller example: it takes minutes for each of the axis codes, and a mix is small as it is.
FEW = settings(max_examples=2, deadline=None, database=None, phases=[Phase.generate])


def check(number: int, strategy: st.SearchStrategy, requirement: Callable) -> None:
    """Try a few mixes: the plainest one, and another one for every number, the same in each run."""
    seed(number)(FEW(given(strategy)(requirement)))()


@dataclass(frozen=True)
class Original:
    """A scan and its labels as volumes, the labels with the values of the project and with those of BTCV."""

    image: sitk.Image
    organs: sitk.Image
    btcv: sitk.Image

    @classmethod
    def of(cls, scan: SyntheticScan) -> "Original":
        def volume(array: np.ndarray) -> sitk.Image:
            result = sitk.GetImageFromArray(array)
            # The phantom's pixels are square: an exchange of their edges must show.
            result.SetSpacing((scan.spacing[0], 1.25 * scan.spacing[1], scan.spacing[2]))
            result.SetOrigin(scan.origin)
            result.SetDirection(scan.direction)
            return result

        assert set(np.unique(scan.organs)) == set(LABELS.values())
        return cls(volume(scan.image), volume(scan.organs), volume(scan.btcv))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: for such small volumes more threads are slower."""
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    yield
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


@pytest.fixture(scope="module")
def ct() -> Original:
    return Original.of(make_patient(1, 1, "CT", SIZE).scans["CT"])


@pytest.fixture(scope="module")
def mri() -> dict[str, Original]:
    return {name: Original.of(scan) for name, scan in make_patient(1, 1, "MRI", SIZE).scans.items()}


def equals(image: Path, label: Path, original: Original) -> bool:
    """Whether a written case is the original, in RAS, and at the same place for SimpleITK and for nibabel."""
    for path, expected in ((image, original.image), (label, original.organs)):
        volume, matrix = read_volume(path), nibabel.load(path).affine
        assert nibabel.aff2axcodes(matrix) == ("R", "A", "S")
        assert np.allclose(matrix, np.diag([-1, -1, 1, 1]) @ affine(volume), atol=1e-3)
        if not same_content(volume, expected):
            return False
    return True


def converts(case: Case, folder: Path, original: Original) -> bool:
    """Whether the converted case is the original."""
    stage = Stage(folder, LABELS, "CT")
    done = stage.convert(case)
    if isinstance(done, UserError):
        raise done
    return equals(stage.images(case.name)[0], stage.label(case.name), original)


# ---- NIfTI, as BTCV has it


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_nifti(codes, ct):
    """The label map may be stored in another direction than its scan."""

    def requirement(label_codes: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_btcv_case(root, 1, sitk.DICOMOrient(ct.image, codes), sitk.DICOMOrient(ct.btcv, label_codes))
            (case,) = btcv.find_cases(source(root))
            assert converts(case, root / "out", ct)

    check(AXIS_CODES.index(codes), st.sampled_from([codes, *AXIS_CODES]), requirement)


# ---- slices, as CHAOS has them


@dataclass(frozen=True)
class Mix:
    """The storage of a series.

    Attributes:
        first, gaps: number of the first file, and the repeated steps to the following numbers.
        digits: width of the zero-padded numbers; 0 for no padding.
        order: order of the file numbers along the body.
        own_names: whether the PNGs have other names than the slices.
        one_folder: whether both T1 phases are in one folder, numbered alternately.
        gray: gray value of an organ: an end of its interval, or random values of the interval.
        random: source of the random values.
    """

    first: int
    gaps: tuple[int, ...]
    digits: int
    order: str
    own_names: bool
    one_folder: bool
    gray: str
    random: int

    def names(self, amount: int, prefix: str, phase: int = 0) -> list[str]:
        """Names of the files in the order of their numbers; the phases alternate."""
        steps = np.resize(self.gaps, 2 * amount)
        numbers = (self.first + np.cumsum(steps) - steps)[phase::2]
        return [f"{prefix}{number:0{self.digits}d}" for number in numbers]

    def positions(self, amount: int) -> list[int]:
        """Index of the slice that each file holds, in the order of their numbers."""
        indices = list(range(amount))
        if self.order == "shuffled":
            np.random.default_rng(self.random).shuffle(indices)
        return indices[::-1] if self.order == "down" else indices

    def grays(self, label: np.ndarray) -> np.ndarray:
        """CHAOS's gray values of a label map."""
        rng = np.random.default_rng(self.random)
        result = np.zeros_like(label)
        for organ, (low, high) in GRAY_INTERVALS.items():
            inside = label == LABELS[organ]
            values = rng.integers(low, high, inside.sum(), endpoint=True)
            values[:1], values[-1:] = low, high
            result[inside] = {"low": low, "high": high}.get(self.gray, values)
        return result


MIXES = st.builds(
    Mix,
    first=st.sampled_from([1, 8, 97, 9_998]),
    gaps=st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple),
    digits=st.sampled_from([5, 0]),
    order=st.sampled_from(["up", "down", "shuffled"]),
    own_names=st.booleans(),
    one_folder=st.booleans(),
    gray=st.sampled_from(["low", "high", "random"]),
    random=st.integers(0, 1000),
)


def rename(files: list[Path], names: list[str], positions: list[int]) -> None:
    """Give the files, which are ordered by position, the names in another order."""
    for name, index in zip(names, positions, strict=True):
        files[index].rename(files[index].with_stem(name))


def write_patient(folder: Path, series: Mapping[str, Original], codes: str, mix: Mix) -> None:
    """The series of a patient, with ``Ground``; ``codes`` are the axes of their rows, columns and slices."""
    for sequence, original in series.items():
        scan, phase, echo = SERIES[sequence]
        image, label = (sitk.DICOMOrient(volume, codes) for volume in (original.image, original.organs))
        amount = image.GetSize()[2]
        names, positions = mix.names(amount, "IMG-0004-", sequence == "T1OUT"), mix.positions(amount)
        series = folder / scan / "DICOM_anon" / ("" if mix.one_folder else phase)
        rename(write_slices(image, series, "at-{:02d}.dcm", echo=echo), names, positions)
        if sequence != "T1OUT":  # both phases share the planes that are named after the in-phase slices
            planes = sitk.GetImageFromArray(mix.grays(sitk.GetArrayFromImage(label)))
            names = mix.names(amount, "GT_") if mix.own_names else names
            rename(write_planes(planes, folder / scan / "Ground", "at-{:02d}.png"), names, positions)


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_slices(codes, mri):
    """Stacks along any axis of the body, not only the axial ones of CHAOS."""

    def requirement(mix: Mix, sequences: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_patient(root / "Train_Sets/MR/1", {name: mri[name] for name in sequences}, codes, mix)
            cases = chaos.find_cases(source(root), sequences)
            assert len(cases) == len(sequences)
            for case in cases:
                assert converts(case, root / "out", mri[case.name.removeprefix("chaos_01_")])

    mixes = st.tuples(MIXES, st.sampled_from([("T2SPIR",), ("T1IN", "T1OUT")]))
    check(AXIS_CODES.index(codes), mixes, lambda mix: requirement(*mix))


# ---- all at once, by the command itself


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: object) -> Path:
    """The dataset that a conversion makes in a folder."""
    monkeypatch.setenv("nnUNet_raw", str(folder / "raw"))
    assert main(["convert", *map(str, arguments), "-np", "1"]) == 0
    (dataset,) = (folder / "raw").glob("Dataset*")
    return dataset


def test_command_btcv(tmp_path, monkeypatch, ct):
    """One dataset of all 48 axis codes."""
    originals = {}
    for number, (codes, label_codes) in enumerate(zip(AXIS_CODES, reversed(AXIS_CODES), strict=True), start=1):
        original = originals[f"btcv_{number:04d}"] = replace(ct, image=ct.image + number)  # equal ones are refused
        image, label = sitk.DICOMOrient(original.image, codes), sitk.DICOMOrient(original.btcv, label_codes)
        write_btcv_case(tmp_path, number, image, label)
    assert read_back(command(monkeypatch, tmp_path, "btcv", tmp_path, "-d", 801), originals) == 48


def test_command_chaos(monkeypatch, mri):
    """Datasets of patients with different kinds of storage; all sequences of a patient are stored alike."""

    def requirement(patients: list[tuple[Mix, str]]) -> None:
        originals = {}
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for number, (mix, codes) in enumerate(patients, start=1):
                series = {name: replace(original, image=original.image + number) for name, original in mri.items()}
                originals |= {f"chaos_{number:02d}_{name}": original for name, original in series.items()}
                write_patient(root / f"Train_Sets/MR/{number}", series, codes, mix)
            dataset = command(monkeypatch, root, "chaos", root, "-d", 802, "--sequences", *SERIES)
            assert read_back(dataset, originals) == len(originals) == 9

    patient = st.tuples(MIXES, st.sampled_from(AXIS_CODES))
    check(0, st.lists(patient, min_size=3, max_size=3), requirement)


def read_back(dataset: Path, originals: Mapping[str, Original]) -> int:
    """The number of labelled scans of a dataset, all of which are the originals."""
    labels = sorted(dataset.glob("labels*/*.nii.gz"))
    for label in labels:
        name = label.name.removesuffix(".nii.gz")
        image = dataset / label.parent.name.replace("labels", "images") / f"{name}_0000.nii.gz"
        assert equals(image, label, originals[name]), name
    return len(labels)
