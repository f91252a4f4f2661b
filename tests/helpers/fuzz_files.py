"""Damaged files: archives, checkpoints, NIfTI, DICOM."""

import argparse
import gzip
import io
import json
import pickle
import random
import shutil
import stat
import struct
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydicom
import torch
from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient

from dicom_export import write_series
from fuzz_target import Target, allow
from mass_nnunet.data.label_map import read_label_map
from mass_nnunet.data.volume import check_header, read_volume
from mass_nnunet.dataset_conversion.archive import opened
from mass_nnunet.dataset_conversion.datasets import dicom
from mass_nnunet.dataset_conversion.source import Source
from mass_nnunet.labels import LABELS
from mass_nnunet.planners.fingerprint import read_scan
from mass_nnunet.runtime.checkpoint import read_checkpoint
from mass_nnunet.training.begun import KEY, check_goes_on
from mutations import STRANGE, damaged, mutate
from native_trees import scan
from tiny_group import CT
from tiny_raw import write_raw_dataset


class Zip(Target):
    """Archives to convert: paths that lead out, bombs, links, damaged ones."""

    name = "zip"
    NAMES: ClassVar = (
        *(
            "a.nii",
            "b/c.nii.gz",
            "../x.nii",
            "/x.nii",
            "C:\\x.nii",
            "a/../../x.dcm",
            "..\\x.png",
            "a.nii/b.nii",
            "./a.nii",
        ),
        *(
            "a//b.nii",
            "x.zip",
            "a\0.nii",
            "é.nii",
            "." * 300 + ".nii",
            "a" * 300 + ".nii",
            "con.nii",
            ".hidden.nii",
            "d/",
        ),
        *("__MACOSX/a.nii", "a.nii ", "a/./b.nii", "//x.nii", "~/x.nii", "a:b.nii", "\u202e.nii", "a.NII", "a.nii"),
    )

    def damage(self, rng: random.Random) -> None:
        with zipfile.ZipFile(self.folder / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for _ in range(rng.choice((1, 2, 3, 6))):
                self._add(archive, rng, depth=0)
        content = (self.folder / "data.zip").read_bytes()
        if rng.random() < 0.4:
            content = damaged(content, rng)
        (self.folder / "data.zip").write_bytes(content)

    def _add(self, archive: zipfile.ZipFile, rng: random.Random, depth: int) -> None:
        info = zipfile.ZipInfo(rng.choice(self.NAMES), rng.choice(((1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58))))
        kind = rng.randrange(8)
        if kind == 0:
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        if kind == 1 and depth < 4:
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as nested:
                self._add(nested, rng, depth + 1)
            info.filename, payload = "in.zip", inner.getvalue()
        else:
            payload = b"\0" * rng.choice((0, 10, 10_000, 3_000_000)) if kind == 2 else rng.randbytes(20)
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, payload)

    def read(self) -> None:
        try:
            with opened(self.folder / "data.zip", confidential=self.confidential) as source:
                for _ in source.walk():
                    pass
        finally:
            shutil.rmtree(self.folder / "raw", ignore_errors=True)
            (self.folder / "raw").mkdir()

    confidential: ClassVar[bool] = False


class Checkpoint(Target):
    """A checkpoint: the archive, the pickle in it, and what it holds."""

    name = "checkpoint"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        plans = {
            "dataset_name": CT,
            "plans_name": "MASSPlans",
            "configurations": {"3d_fullres": {"patch_size": [8, 16, 16]}},
            "mass": {"modalities": [{"name": "CT", "dataset": CT}], "modality": "CT", "hyperparameters": {}},
        }
        begun = {"Dataset801": {"plans": plans, "split": {"train": "x"}, "scans": "y"}}
        self.sound = {"init_args": {"plans": plans}, KEY: begun, "current_epoch": 1, "logging": {"dice": [0.5]}}
        self.now = json.loads(json.dumps(begun))

    def damage(self, rng: random.Random) -> None:
        kind, file = rng.randrange(10), self.folder / "checkpoint_latest.pth"
        if kind < 5:
            torch.save(mutate(self.sound, rng), file)
            return
        if kind == 5:
            torch.save({"x": _Evil(), **self.sound}, file)
        elif kind == 6:
            file.write_bytes(rng.choice((b"", b"PK", pickle.dumps(_Evil()), pickle.dumps({}), rng.randbytes(500))))
        else:
            torch.save(self.sound | {"weights": torch.zeros(10)}, file, _use_new_zipfile_serialization=kind < 9)
        file.write_bytes(damaged(file.read_bytes(), rng) if kind != 5 or rng.random() < 0.5 else file.read_bytes())

    def read(self) -> None:
        read_checkpoint(self.folder / "checkpoint_latest.pth")
        check_goes_on(self.folder / "checkpoint_latest.pth", self.now, {})


class _Evil:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("/tmp/fuzz-was-here"),)


class Nifti(Target):
    """Headers and voxels of NIfTI files, as an image and as a label map."""

    name = "nifti"
    # Offset and format of header fields: sizes, types, offsets, scales, units, forms, geometry, magic.
    FIELDS: ClassVar = (
        *((0, "i"), (38, "b"), (39, "b"), *((40 + 2 * n, "h") for n in range(8)), (68, "h"), (70, "h"), (72, "h")),
        *((76 + 4 * n, "f") for n in range(8)),
        *((108, "f"), (112, "f"), (116, "f"), (123, "b"), (124, "f"), (252, "h"), (254, "h")),
        *((256 + 4 * n, "f") for n in range(18)),
        *((344, "i"), (348, "i")),
    )
    WHOLE: ClassVar = (
        0,
        1,
        -1,
        2,
        3,
        4,
        7,
        8,
        16,
        64,
        127,
        -128,
        128,
        255,
        256,
        512,
        768,
        1024,
        1536,
        2048,
        32767,
        -32768,
    )
    REAL: ClassVar = (0.0, -0.0, 1.0, -1.0, 1e-40, 1e38, -1e38, np.nan, np.inf, -np.inf, 352.0, 351.5, 1e9, 0.5, 1e-6)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        raw = write_raw_dataset(folder, CT, "CT", ["a"], shape=(3, 5, 4))
        files = (raw / "imagesTr" / "a_0000.nii.gz", raw / "labelsTr" / "a.nii.gz")
        self.sound = [gzip.decompress(file.read_bytes()) for file in files]

    def damage(self, rng: random.Random) -> None:
        content = bytearray(rng.choice(self.sound))
        for _ in range(rng.choice((1, 1, 2, 3, 5))):
            offset, form = rng.choice(self.FIELDS)
            value = rng.choice(self.REAL) if form == "f" else rng.choice(self.WHOLE)
            low, high = {"b": (-128, 127), "h": (-(2**15), 2**15 - 1)}.get(form, (-(2**31), 2**31 - 1))
            value = value if form == "f" else max(low, min(high, value))
            struct.pack_into(f"<{form}", content, offset, value)
        result = damaged(bytes(content), rng) if rng.random() < 0.2 else bytes(content)
        for path in self.folder.glob("x.nii*"):
            path.unlink()
        self.file = self.folder / rng.choice(("x.nii.gz", "x.nii.gz", "x.nii"))
        packed = gzip.compress(result, 1) if self.file.suffix == ".gz" and rng.random() < 0.95 else result
        self.file.write_bytes(damaged(packed, rng) if rng.random() < 0.1 else packed)

    def read(self) -> None:
        allow(lambda: read_volume(self.file))
        allow(lambda: read_label_map(self.file, LABELS))
        check_header(self.file)  # as `plan` does before it reads any scan
        read_scan([str(self.file)], NibabelIOWithReorient)


class Dicom(Target):
    """Tags and bytes of a DICOM export, as ``mass_nnunet convert dicom`` reads it."""

    name = "dicom"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files = write_series(scan(), folder / "export")
        self.sound = {file: file.read_bytes() for file in self.files}
        parser = argparse.ArgumentParser()
        parser.add_argument("source", type=Path)
        dicom.add_arguments(parser)
        self.arguments = parser.parse_args([str(folder / "export"), "-d", "812", "--modality", "CT"])
        self.changed: list[Path] = []

    def damage(self, rng: random.Random) -> None:
        for file in self.changed:
            file.write_bytes(self.sound[file])
        self.changed = self.files if rng.random() < 0.3 else [rng.choice(self.files)]
        seed = rng.random()
        for file in self.changed:
            own = random.Random(seed)
            if own.random() < 0.25:
                file.write_bytes(damaged(self.sound[file], own))
                continue
            dataset = pydicom.dcmread(io.BytesIO(self.sound[file]))
            tags = [element.tag for element in dataset]
            for _ in range(own.choice((1, 1, 2))):
                self._set(dataset, own.choice(tags), own)
            try:
                dataset.save_as(file)
            except Exception:  # pydicom does not write all that a file may hold
                file.write_bytes(damaged(self.sound[file], own))

    def _set(self, dataset: pydicom.Dataset, tag: Any, rng: random.Random) -> None:
        kind = rng.randrange(4)
        if tag not in dataset:
            return
        if kind == 0:
            del dataset[tag]
        elif kind == 1:
            dataset[tag]._value = rng.choice((b"", b"\0", b"x" * 70, b"1\\2\\3", b"nan", b"-1", b"1e400", b"\xff\xfe"))
            dataset[tag].VR = rng.choice(("UN", "LO", dataset[tag].VR))
        elif kind == 2:
            with np.errstate(all="ignore"):
                try:
                    dataset[tag].value = rng.choice([*STRANGE[:19], "nan", "1\\2", [1, 2], ["a", "b"], []])
                except Exception:  # pydicom refuses some values at once
                    del dataset[tag]
        else:
            dataset[tag].VR = rng.choice(("SQ", "US", "DS", "IS", "FD", "OB", "UI", "PN", "AT"))

    def read(self) -> None:
        source = Source(self.folder / "export", (self.folder / "export",))
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            for target in dicom.targets(source, self.arguments):
                for case in target.cases:
                    case.files()
                    allow(case.read)
                    allow(case.described)
