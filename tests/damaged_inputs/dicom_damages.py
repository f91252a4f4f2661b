"""Damaged and confusing exports of an archive: one CT of a patient whose name no message may tell."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pydicom.uid import (
    EncapsulatedPDFStorage,
    MRImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
)

from export_edits import (
    another,
    class_of,
    compressed,
    contours,
    emptied,
    every,
    instead,
    magnetic,
    moved,
    one,
    renamed,
    second_contours,
    shifted,
    tags,
    zipped_export,
)
from file_edits import both, cut, encrypt, link, nothing, on, on_all, remove
from mass_nnunet.phantom.dicom import make_uid
from native_trees import scan, write
from refused_input import RAW, Damage
from sound_datasets import CONTOURS, CT, CT_SLICE

_NONE = "src holds no CT scan that can be taken (series 1: {}): see --list, and export what is missing"
_PICK = "export it again, or pick another one from --list"
dicom = partial(Damage, "dicom")


def alone(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    """Changes of the scan, without its contours."""
    return both(on(CONTOURS, remove), *changes)


def refused(name: str, change: Callable[[Path], object], reason: str, **others: Any) -> Damage:
    """A scan that is not taken, for a reason."""
    return dicom(name, alone(change), _NONE.format(reason), **others)


DICOM_DAMAGES = [
    # Nothing to take.
    dicom("export without any file", alone(on(CT, remove)), "src holds no DICOM image: give the folder or the zip ..."),
    dicom(
        "NIfTI files for DICOM",
        alone(on(CT, remove), lambda src: write(scan(), src / "a.nii.gz")),
        "src holds no DICOM image: give the folder or the zip that the archive has exported",
    ),
    refused("dose report alone", instead(XRayRadiationDoseSRStorage, "SR"), "no scan but X-Ray Radiation Dose SR"),
    refused("report as PDF alone", instead(EncapsulatedPDFStorage, "DOC"), "no scan but Encapsulated PDF"),
    dicom(
        "contours without their scan",
        on(CT, remove),
        "src holds no CT scan that can be taken (series 1: labels): see --list, and export what is missing",
    ),
    refused("localizer alone", every(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "a localizer"),
    refused("localizer by its description", every(SeriesDescription="Topogram 0.6"), "a localizer, by its description"),
    refused(
        "screenshots",
        class_of(SecondaryCaptureImageStorage),
        "a secondary capture, such as a screenshot",
    ),
    refused("burnt-in text", one(BurnedInAnnotation="YES"), "text is burnt into its images"),
    refused("colour images", every(SamplesPerPixel=3), "in colour"),
    refused("negatives", every(PhotometricInterpretation="MONOCHROME1"), "stored as negatives (MONOCHROME1)"),
    refused("MR for CT", class_of(MRImageStorage, Modality="MR"), "MR, not CT"),
    refused(
        "maximum intensity projections",
        every(ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"]),
        "derived from other images (MIP)",
    ),
    refused("three slices", on_all(f"{CT}/IM000[0-2]", remove), "only 3 slices, as in a localizer"),
    # Geometry.
    refused("slice of an export missing", on(CT_SLICE, remove), "slice 4 and slice 2 are 6.00 mm apart, ..."),
    refused(
        "slices 3 mm apart, then 5 mm",
        moved(0, 3, 6, 9, 14, 19),
        "slice 3 and slice 2 are 5.00 mm apart, the other slices 3.00 mm",
    ),
    refused(
        "two different slices at one position",
        another(5, SOPInstanceUID=make_uid("other")),
        "slice 3 and slice 3 lie at the same position",
    ),
    refused(
        "two different slices with one SOPInstanceUID",
        another(5),
        "slices 3 and 3 are two images with one SOPInstanceUID",
    ),
    refused(
        "one slice of an export shifted sideways",
        one(ImagePositionPatient=[-25, 7, 109]),
        "slice 3 is shifted sideways against slice 4",
    ),
    refused("slice of an export without position", one(ImagePositionPatient=None), "slice 3 has no ..."),
    refused("slice of an export without orientation", one(ImageOrientationPatient=None), "slice 3 has no ..."),
    refused("slice of an export without pixel spacing", one(PixelSpacing=None), "slice 3 has no ..."),
    refused("pixel spacing of zero in an export", every(PixelSpacing=[0, 0]), "slice 6 has a pixel ..."),
    refused(
        "orientation of zeros in an export",
        every(ImageOrientationPatient=[0] * 6),
        "slice 6 has an invalid orientation in its DICOM header",
    ),
    refused(
        "several frames without positions",
        every(SOPClassUID=MultiFrameGrayscaleWordSecondaryCaptureImageStorage, NumberOfFrames=5),
        "slice 6 has several frames without a position of each in its DICOM header",
    ),
    # Pixels.
    dicom(
        "slice of an export cut short",
        alone(on(CT_SLICE, cut, 400)),
        "series 1/slice 3 cannot be read (it ends too early): copy or download it again",
    ),
    dicom(
        "compressed slice of an export cut short",
        alone(on(CT_SLICE, compressed, drop=600)),
        "series 1/slice 3 cannot be read (...): copy or ... it again",
    ),
    dicom(
        "empty slices in an export",
        alone(*(on(f"{CT}/IM000{n}", tags, PixelData=bytes(1152)) for n in range(6))),
        "series 1 is empty, all its intensities are -1024: copy or download it again",
    ),
    # Choices.
    dicom(
        "several MR scans in one study",
        alone(magnetic("T1 Mustermann", "T2 MRN4711")),
        "src holds two MR scans of one study, series 1 (T1 ***) and series 2 (T2 ***): pick with --series, ...",
        ("--modality", "MR"),
    ),
    dicom(
        "--series of a number that is not there",
        nothing,
        "--series 7: ...src has 2 series; see --list",
        ("--series", "7"),
    ),
    dicom(
        "--series of a damaged scan",
        alone(on(CT_SLICE, remove)),
        f"--series 1 cannot be taken, slice 4 and slice 2 are 6.00 mm apart, ...: {_PICK}",
        ("--series", "1"),
    ),
    dicom(
        "--series of no description",
        nothing,
        "--series venous late: no scan that can be taken has such a description; see --list",
        ("--series", "venous late"),
    ),
    dicom(
        "--series that is no pattern",
        nothing,
        "--series ( is neither a number nor a regular expression (...)",
        ("--series", "("),
    ),
    dicom(
        "key file among the datasets",
        nothing,
        f"--key ...{RAW}/key.json lies among the datasets in ...{RAW}: keep it apart",
        ("--key", f"{{}}/{RAW}/key.json"),
    ),
    # Labels.
    dicom(
        "structures of other names",
        contours(renamed(liver="Leber", spleen="Milz Mustermann", right_kidney="Niere re", left_kidney="Niere li")),
        "--labels names no structure of the labels, which are Milz ***, Niere re, Niere li, Leber: ...",
    ),
    dicom(
        "contours between slices",
        contours(shifted(1.5)),
        "series 2 has contours that are not in the slices of its scan: export those of this scan",
    ),
    dicom(
        "contours above the scan",
        contours(shifted(300)),
        "series 2 has labels outside its scan: export both again, from one study",
    ),
    dicom("structures of points", contours(emptied), "series 2 has no annotated voxel: get the right file, ..."),
    dicom(
        "one organ in two structure sets",
        second_contours,
        "liver of series 1 is in series 2 and in series 3: pick the labels with --series too",
    ),
    dicom(
        "contours of the kidneys swapped",
        contours(renamed(right_kidney="left_kidney", left_kidney="right_kidney")),
        "p001_t1_s1 (series 2): the right kidney is not to the right of the left kidney: ...",
    ),
    dicom(
        "structure set cut short",
        on(CONTOURS, cut, 100),
        "series 2 cannot be read (it ends too early): copy or export it again",
    ),
    dicom(
        "structure set cut short in its header",
        on(CONTOURS, cut, 3000),
        "src holds DICOM files with damaged headers (1), which may be labels: export it again",
    ),
    # Files whose names are not told.
    dicom(
        "link in an export to a file that is gone",
        on(CT_SLICE, link, "gone"),
        "src holds a broken link: repair or remove it",
    ),
    dicom(
        "unreadable file in an export",
        on(CT_SLICE, Path.chmod, 0),
        "src holds a file that cannot be read (Permission denied): check the files' permissions",
        apart=True,
        posix=True,
    ),
    dicom(
        "zip of an export with ../ in it",
        zipped_export,
        "data.zip holds a file, with a path that leads out of the archive: get it from its authors",
        given="data.zip",
    ),
    dicom(
        "encrypted zip of an export",
        lambda src: encrypt(zipped_export(src)),
        "data.zip ...",
        given="data.zip",
    ),
]
