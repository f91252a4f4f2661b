"""The predictions of many methods for one dataset, and what experiments/quality.py keeps about them in a folder."""

import pickle
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import numpy as np

import mass_nnunet as package
from mass_nnunet.data.files import atomic_path
from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.quality.calibration import Sample, Samples
from mass_nnunet.quality.distances import KnownSurfaces, surfaces_of
from mass_nnunet.quality.evidence import Evidence, gather, without_patient
from mass_nnunet.quality.folder import digest
from mass_nnunet.quality.grid import read_scan, read_shares
from mass_nnunet.quality.references import annotated_cases, files_of, fold_of, lattice_of_all, read_references
from quality_features import candidates

T = TypeVar("T")
PACKAGE = Path(package.__file__).parent
CODE = sorted((*(PACKAGE / "quality").glob("*.py"), *(PACKAGE / "registration").glob("*.py")))
CODE += [Path(__file__), Path(__file__).with_name("quality_features.py")]
"""What makes that which is kept: what other code made is not taken for it."""


def kept(file: Path, make: Callable[[], T]) -> T:
    """What a function returns, from a file if it was called before."""
    if not file.is_file():
        found = make()
        with atomic_path(file) as temporary:
            temporary.write_bytes(pickle.dumps(found))
    return cast(T, pickle.loads(file.read_bytes()))


def cells_of(benches: Iterable[Path], name: str) -> list[tuple[str, str, Path, Path]]:
    """Method, inference, folder of predictions and scores of each finished cell for a dataset."""
    found = []
    for bench in benches:
        cells = sorted(bench.glob("cells/*/scores.csv"))
        if len(cells) > 1:
            raise SystemExit(f"{bench} has {len(cells)} cells, and one name: give benchmarks of one cell")
        for scores in cells:
            for folder in sorted(scores.parent.glob(f"predictions/{name}_*")):
                found.append((bench.name, folder.name.removeprefix(f"{name}_"), folder, scores))
    return found


class Measured(NamedTuple):
    """What estimates of a prediction of a test scan need.

    Attributes:
        numbers: :data:`CANDIDATES` of each organ (K - 1, F).
        distances: features of HD95 (K - 1, 2).
        likeness: of the scan to the annotated ones.
    """

    numbers: np.ndarray
    distances: np.ndarray
    likeness: float


class Bench:
    """The predictions of many methods for one dataset, and what is kept about them in a folder."""

    def __init__(self, dataset: RawDataset, number: int, benches: Sequence[Path], work: Path) -> None:
        self.dataset, self.benches, self.work = dataset, benches, work
        self.fold = fold_of(dataset, number)
        self.files = files_of(dataset, annotated_cases(dataset, self.fold))
        self.references, notes = read_references(self.files, dataset)
        self.lattice = lattice_of_all(self.references)
        for note in notes:
            print(note)
        annotated = (file for pair in self.files.values() for file in pair)
        self.known = digest([*CODE, *sorted(dataset.folder.glob("*.json")), *annotated])

    def file(self, name: str, *inputs: Path) -> Path:
        """Where something is kept that comes from files beside the annotated scans: another name for other contents."""
        return self.work / f"{name}_{self.known[:10]}{digest(inputs)[:10]}.pkl"

    def image(self, case: str) -> Path:
        """First channel of an annotated or a test scan."""
        return self.files[case][0] if case in self.files else self.dataset.images(TEST, case)[0]

    def evidence(self, case: str) -> Evidence:
        """What the annotated scans of other patients say about a scan."""
        modality, known, image = self.dataset.channels[0], self.references, self.image(case)
        own = known.get(case)
        others = without_patient(known, own.patient) if own else known

        def gathered() -> Evidence:
            return gather(own.scan if own else read_scan(image, modality, self.lattice)[0], others)

        return kept(self.file(case, image), gathered)

    def shares(self, file: Path) -> np.ndarray:
        """The labels of a prediction on the coarse grid."""
        return read_shares(file, self.dataset.labels, self.lattice).shares

    def samples(self) -> Samples:
        """Synthetic errors of all annotated scans."""
        samples = self._empty()
        for seed, case in enumerate(self.references):
            self._extend(samples, self.file(f"synthetic_{case}"), partial(self._synthetic, case, seed))
        return samples

    def with_validation(self, samples: Samples, method: str) -> Samples:
        """Samples, and a method's predictions of validation scans, of ``val/ID_INFERENCE`` where its folder has one."""
        found = deepcopy(samples)
        whole = [case for case in self.fold.val if case in self.references]  # others are annotated in part
        for bench in (bench for bench in self.benches if bench.name == method):
            for folder in sorted(bench.glob(f"val/{self.dataset.id}_*")):
                for case in whole:
                    file = folder / f"{case}{self.dataset.ending}"
                    if file.is_file():
                        own = self.file(f"validation_{method}_{folder.name}_{case}", file)
                        self._extend(found, own, partial(self._real, case, file))
        return found

    def measured(self, case: str, method: str, inference: str, folder: Path) -> Measured:
        """What the estimates of a prediction of a test scan need."""
        file = folder / f"{case}{self.dataset.ending}"
        own = self.file(f"test_{method}_{inference}_{case}", self.image(case), file)
        return kept(own, partial(self._measured, case, file))

    def _measured(self, case: str, file: Path) -> Measured:
        evidence, shares = self.evidence(case), self.shares(file)
        distances = KnownSurfaces(evidence).features(surfaces_of(evidence.seen(shares), evidence.case.edges))
        return Measured(candidates(shares, evidence, self.references), distances, evidence.likeness)

    def _empty(self) -> Samples:
        return Samples(partial(candidates, references=self.references))

    def _extend(self, samples: Samples, file: Path, make: Callable[[], tuple[list[Sample], list[Sample]]]) -> None:
        overlap, distance = kept(file, make)
        samples.overlap += overlap
        samples.distance += distance

    def _synthetic(self, case: str, seed: int) -> tuple[list[Sample], list[Sample]]:
        found = self._empty()
        found.add(self.references[case], self.evidence(case), (), seed)
        return found.overlap, found.distance

    def _real(self, case: str, file: Path) -> tuple[list[Sample], list[Sample]]:
        found, own = self._empty(), self.references[case]
        found.add_real(own, self.evidence(case), [self.shares(file)[:, own.kept]])
        return found.overlap, found.distance
