import shutil
from dataclasses import replace

import pytest

from mass_nnunet import trainers
from mass_nnunet.benchmark.run.entries import Method
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.state import write_record
from mass_nnunet.data.files import digest, read_json, write_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.splits import load_fold
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import complete
from mass_nnunet.trainers import MASSTrainerNoAtlas, TCSMTrainer
from mass_nnunet.training.begun import planned
from planned_grid import write_planned, write_plans
from tiny_group import CT, MRI, entry
from tiny_raw import write_raw_dataset


@pytest.fixture
def grid(tmp_path, monkeypatch):
    return write_planned(tmp_path, monkeypatch)


def refused(grid) -> str:
    with pytest.raises(UserError) as error:
        make_jobs(grid)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_folds_follow_from_the_splits(grid):
    jobs = make_jobs(grid)
    assert [job.cell for job in jobs] == grid.cells
    # Splits are written seed by seed, in each the rates in their order.
    folds = {(0.25, 0): 0, (1.0, 0): 1, (0.25, 1): 2, (1.0, 1): 3}
    assert [job.fold for job in jobs] == [folds[job.cell.label_rate, job.cell.seed] for job in jobs]
    assert len({job.inputs for job in jobs}) == 4


def test_a_group_method_trains_once_and_others_each_dataset(grid):
    supervised, mass = make_jobs(replace(grid, inference=("segmentation", "atlas")))[:2]
    assert [[dataset.id for dataset in datasets] for datasets in supervised.trainings] == [[801], [802]]
    assert [[dataset.id for dataset in datasets] for datasets in mass.trainings] == [[801, 802]]
    assert [(test.modality, test.dataset.name) for test in mass.tested] == [("CT", CT), ("MRI", MRI)]
    assert mass.inferences == ("segmentation", "atlas")
    assert supervised.inferences == ("segmentation",)
    for asked, left in [(("atlas",), ("segmentation",)), (("atlas", "adapted"), ("adapted",))]:
        dual = make_jobs(replace(grid, methods=("DualStreamTrainer",), inference=asked))[0]
        assert dual.together
        assert dual.inferences == left


def test_unknown_trainer(grid):
    text = refused(replace(grid, methods=("MASTrainer",)))
    assert f"'MASTrainer', which is no trainer: there are {trainers.__all__[0]}, " in text


def test_split_that_is_not_there(grid, tmp_path):
    file = tmp_path / "preprocessed" / CT / "splits_final.json"
    text = refused(replace(grid, label_rates=(0.3,)))
    assert text.startswith(f"{file} has no fold with label rate 0.3 and seed 0")
    assert "mass_nnunet split" in text
    file.unlink()
    assert refused(grid).startswith(f"{file} does not exist")


def test_folds_that_differ_between_datasets(grid, tmp_path):
    file = tmp_path / "preprocessed" / MRI / "splits_final.json"
    write_json(file, read_json(file, "")[::-1])
    assert "are not the same fold in all datasets ({'Dataset801_CTS': 0, 'Dataset802_MRS': 3})" in refused(grid)


def test_plans_that_are_not_there_or_not_ours(grid, tmp_path):
    file = tmp_path / "preprocessed" / MRI / "MASSPlans.json"
    assert "has no configuration 2d, but 3d_fullres" in refused(replace(grid, configuration="2d"))
    write_json(file, {"configurations": {}})
    assert refused(grid).startswith(f"{file} is no plan of `mass_nnunet plan`")
    file.unlink()
    assert refused(grid).startswith(f"{file} does not exist: make it with `mass_nnunet plan -d 801 802`")


def test_datasets_that_were_not_planned_together(grid, tmp_path):
    alone = {"modalities": [{"name": "MRI", "dataset": MRI}], "modality": "MRI"}
    write_plans(tmp_path, MRI, "MRI", mass=alone)
    assert f"{MRI} was not planned together with {CT}" in refused(grid)


def test_test_scans_and_their_labels(grid, tmp_path):
    label = tmp_path / "raw" / MRI / "labelsTs" / "MRIt.nii.gz"
    label.unlink()
    assert refused(grid).startswith(f"{label} does not exist")
    label.touch()
    training = tmp_path / "raw" / MRI / "imagesTr"
    training.rename(training.with_name("moved"))  # and said now, not when hours of training are over
    assert refused(grid).startswith(f"{training} holds no *_0000.nii.gz")
    shutil.rmtree(tmp_path / "raw" / MRI)
    write_raw_dataset(tmp_path / "raw", MRI, "MRI", ["MRI0"])
    assert "imagesTs holds no scan to test on" in refused(grid)


def test_cell_that_was_begun_with_other_plans(grid, tmp_path):
    job = make_jobs(grid)[0]
    write_record(job.folder, {"inputs": job.inputs})
    assert make_jobs(grid)
    write_plans(tmp_path, CT, "CT", other="key")
    assert refused(grid).startswith(f"{job.folder} was begun with other plans, hyperparameters or another split")


@pytest.mark.parametrize(
    ("change", "is_the_same"),
    [
        ({"mean": -9.7732227}, True),  # the last digits of a mean depend on the number of threads
        ({"mean": -9.774}, False),
        ({"mass": {"hyperparameters": {"ramp": complete().ramp, "weights": {}}}}, True),
        ({"mass": {"hyperparameters": {"ramp": 0.9}}}, False),
        ({"mass": {"inference": "atlas"}}, True),  # the grid says by what is predicted
    ],
)
def test_a_cell_stays_done_where_plans_are_the_same_in_effect(grid, tmp_path, change, is_the_same):
    before = make_jobs(grid)[0].inputs
    file = tmp_path / "preprocessed" / MRI / "MASSPlans.json"
    plans = read_json(file, "")
    write_json(file, plans | change | {"mass": plans["mass"] | change.get("mass", {})})
    assert (make_jobs(grid)[0].inputs == before) == is_the_same


@pytest.mark.parametrize(("method", "is_the_same"), [("MASSTrainer", False), ("SupervisedTrainer", True)])
def test_labels_of_another_tool_are_part_of_a_cell_that_is_trained_with_them(grid, tmp_path, method, is_the_same):
    grid = replace(grid, methods=(method,))
    write_plans(tmp_path, MRI, "MRI", configurations={"3d_fullres": {"data_identifier": "arrays"}})
    folder = tmp_path / "preprocessed" / MRI / "arrays_pseudo"
    folder.mkdir()
    without = make_jobs(grid)[0].inputs
    case = entry(tmp_path, MRI)["unlabelled"][0]
    (folder / f"{case}.b2nd").write_bytes(b"labels")
    assert (make_jobs(grid)[0].inputs == without) == is_the_same


def test_what_a_method_fixes_is_part_of_a_cell(grid, monkeypatch):
    ablation = replace(grid, methods=("MASSTrainerNoAtlas",))
    before = make_jobs(ablation)[0].inputs
    assert before != make_jobs(replace(grid, methods=("MASSTrainer",)))[0].inputs
    monkeypatch.setattr(MASSTrainerNoAtlas, "CHANGES", MASSTrainerNoAtlas.CHANGES | {"confidence": 0.5})
    assert make_jobs(ablation)[0].inputs != before


def test_a_cell_of_an_earlier_version_of_its_method_is_told_and_others_stay_done(grid, monkeypatch):
    grid = replace(grid, methods=("TCSMTrainer",))
    assert TCSMTrainer.REVISION > 1
    now = make_jobs(grid)[0].inputs
    with monkeypatch.context() as earlier:
        earlier.setattr(TCSMTrainer, "REVISION", 1)
        job = make_jobs(grid)[0]
    folders = [dataset_folder("preprocessed", number) for number in (801, 802)]
    as_before = [
        [planned(read_json(folder / "MASSPlans.json", ""), {}), load_fold(folder, job.fold).as_entry()]
        for folder in folders
    ]
    assert job.inputs == digest(as_before) != now
    write_record(job.folder, {"inputs": job.inputs})
    assert "another version of its method: name another output in the grid, or remove that folder" in refused(grid)


@pytest.fixture
def stock(grid, tmp_path):
    """The grid with stock nnU-Net on plans of its own, which know no label; no scan is preprocessed really."""
    for name, modality in ((CT, "CT"), (MRI, "MRI")):
        folder = tmp_path / "preprocessed" / name
        write_stock_plans(folder)
        schedule = {"epochs": 16, "iterations": 25, "validation_iterations": 5}
        mass = read_json(folder / "MASSPlans.json", "")["mass"] | schedule
        write_plans(tmp_path, name, modality, mass=mass)
        (folder / "nnUNetPlans_3d_fullres").mkdir()
        for number in range(5):
            (folder / "nnUNetPlans_3d_fullres" / f"{modality}{number}.pkl").touch()
    return with_stock(grid)


def write_stock_plans(folder, **changes):
    configuration = {"data_identifier": "nnUNetPlans_3d_fullres", "normalization_schemes": ["ZScoreNormalization"]}
    configuration |= {"architecture": {}, **changes}
    write_json(folder / "nnUNetPlans.json", {"configurations": {"3d_fullres": configuration}})


def with_stock(grid, **changes):
    method = Method("stock", "nnUNetTrainer", "nnUNetPlans", "3d_fullres", **changes)
    return replace(grid, methods=("MASSTrainer", "stock"), variants=(method,))


def test_stock_has_the_schedule_of_the_groups_plans_unless_the_grid_gives_another(stock):
    mass, job = make_jobs(stock)[:2]
    assert (mass.schedule, job.schedule) == (None, (16, 25, 5))
    assert [[dataset.id for dataset in datasets] for datasets in job.trainings] == [[801], [802]]
    assert (job.inferences, job.fold, job.method.trainer) == (("segmentation",), mass.fold, "nnUNetTrainer")
    longer = make_jobs(with_stock(stock, epochs=80))[1]
    assert longer.schedule == (80, 25, 5)
    assert longer.inputs != job.inputs


def test_plans_of_stock_that_are_missing_come_with_the_command(stock, tmp_path):
    file = tmp_path / "preprocessed" / MRI / "nnUNetPlans.json"
    scan = tmp_path / "preprocessed" / CT / "nnUNetPlans_3d_fullres" / "CT3.pkl"
    command = "make it with `nnUNetv2_plan_and_preprocess -d 801 802 -c 3d_fullres`"
    scan.unlink()
    assert refused(stock) == f"{scan.parent} has no CT3.pkl: {command}"
    scan.touch()
    file.unlink()
    assert refused(stock) == f"{file} does not exist: {command}, or name other plans of stock in the grid"


def test_configurations_that_stock_cannot_have(stock, tmp_path):
    file = tmp_path / "preprocessed" / CT / "nnUNetPlans.json"
    write_stock_plans(file.parent, previous_stage="3d_lowres")
    assert refused(stock).startswith(f"{file}: 3d_fullres is a cascade")
    write_json(file, {"configurations": {"2d": {}}})
    assert "has no configuration 3d_fullres, but 2d" in refused(stock)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"train": []}, "has no annotated training scan in the fold, which stock needs: take stock out of the grid"),
        ({"val": []}, "has no annotated validation scan in the fold"),
        ({"sparse": 5}, "has scans that are annotated in part, and stock, which is not of this package, would take"),
        ({"annotated": {"CT0": ["liver"]}}, "has scans that are annotated in part"),
    ],
)
def test_folds_that_stock_cannot_obey(stock, tmp_path, change, text):
    file = tmp_path / "preprocessed" / CT / "splits_final.json"
    write_json(file, [fold | change for fold in read_json(file, "")])
    line = refused(replace(stock, methods=("stock",)))
    assert line.startswith(CT) and text in line


def test_a_patient_on_two_sides_is_found_before_stock_is_trained(stock, tmp_path):
    fold = read_json(tmp_path / "preprocessed" / CT / "splits_final.json", "")[0]
    cases = [*fold["train"], *fold["unlabelled"], *fold["val"], "CTt"]
    patients = {case: case for case in cases} | {fold["train"][0]: "one", fold["val"][0]: "one"}
    write_json(tmp_path / "raw" / CT / "patients.json", patients)
    assert "is in training, but its patient one is validated on" in refused(replace(stock, methods=("stock",)))


def test_ours_takes_its_epochs_from_its_plans(grid):
    method = Method("longer", "MASSTrainer", "MASSPlans", "3d_fullres", epochs=9)
    text = refused(replace(grid, methods=("longer",), variants=(method,)))
    assert text.startswith("longer takes its epochs from its plans: copy MASSPlans.json of each dataset under another")


def test_a_method_of_ours_on_plans_of_its_own(grid, tmp_path):
    method = Method("longer", "MASSTrainer", "MASSPlansLong", "3d_fullres")
    grid = replace(grid, methods=("MASSTrainer", "longer"), variants=(method,))
    assert "MASSPlansLong.json does not exist: make it with `mass_nnunet plan" in refused(grid)
    for name in (CT, MRI):
        folder = tmp_path / "preprocessed" / name
        plans = read_json(folder / "MASSPlans.json", "")
        write_json(folder / "MASSPlansLong.json", plans | {"mass": plans["mass"] | {"epochs": 80}})
    plain, longer = make_jobs(grid)[:2]
    assert longer.together and longer.method.plans == "MASSPlansLong" and longer.inputs != plain.inputs
