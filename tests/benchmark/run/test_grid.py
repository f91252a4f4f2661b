import pytest

from mass_nnunet.benchmark.run.entries import Method
from mass_nnunet.benchmark.run.grid import Cell, load_grid, save_grid
from mass_nnunet.errors import UserError

WHOLE = """\
datasets: [801, 802]
methods: [SupervisedTrainer, MASSTrainer]
label_rates: [0.1, 1]
seeds: [0, 1]
output: out
"""


def write(tmp_path, text):
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    return file


def test_defaults_and_output_beside_the_file(tmp_path):
    grid = load_grid(write(tmp_path, WHOLE))
    assert grid.output == tmp_path / "out"
    assert (grid.plans, grid.configuration, grid.device) == ("MASSPlans", "3d_fullres", "cuda")
    assert grid.inference == ("segmentation",)


def test_the_output_folder_tells_its_grid(tmp_path):
    grid = load_grid(write(tmp_path, WHOLE + "inference: [atlas]\ndevice: cpu\n"))
    with pytest.raises(UserError, match="is a folder in which no grid was run: name the YAML file of the grid"):
        load_grid(tmp_path)
    save_grid(grid)
    assert load_grid(grid.output) == grid


def test_other_tools_are_rows_with_cells_of_their_own(tmp_path):
    text = WHOLE + "external: {Tool: folder, Other: {folder: /x, labels: {liver: [5, 6], spleen: 1}}}\n"
    grid = load_grid(write(tmp_path, text))
    assert grid.external[0].folder == tmp_path / "folder"
    assert grid.rows == ("SupervisedTrainer", "MASSTrainer", "Tool", "Other")
    assert [cell.method for cell in grid.cells[:8]] == ["Tool", "Other"] * 4
    assert len(grid.cells) == 16
    save_grid(grid)
    assert load_grid(grid.output) == grid


def test_a_method_may_have_plans_of_its_own(tmp_path):
    stock = "{trainer: nnUNetTrainer, plans: nnUNetPlans, name: stock}"
    grid = load_grid(write(tmp_path, WHOLE.replace("MASSTrainer]", f"MASSTrainer, {stock}]")))
    assert grid.methods == ("SupervisedTrainer", "MASSTrainer", "stock")
    assert grid.method("stock") == Method("stock", "nnUNetTrainer", "nnUNetPlans", "3d_fullres")
    assert grid.method("MASSTrainer") == Method("MASSTrainer", "MASSTrainer", "MASSPlans", "3d_fullres")
    assert grid.models_of("MASSTrainer") == grid.models
    assert grid.models not in (grid.models_of("stock"), *grid.models_of("stock").parents)
    save_grid(grid)
    assert load_grid(grid.output) == grid


def test_cells_come_seed_by_seed(tmp_path):
    cells = load_grid(write(tmp_path, WHOLE)).cells
    assert len(cells) == len(set(cells)) == len({cell.name for cell in cells}) == 8
    assert [cell.seed for cell in cells] == [0] * 4 + [1] * 4
    assert cells[1] == Cell("MASSTrainer", 0.1, 0)
    assert cells[1].title == "MASSTrainer, 10 % of the labels, seed 0"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("seeds", "seed", "unknown key 'seed'"),
        ("seeds: [0, 1]\n", "", "seeds is missing"),
        ("[0, 1]", "[0, 1", "is not valid YAML (line"),
        ("[0, 1]", "[0, 0]", "seeds has 0 twice"),
        ("[0, 1]", "[true]", "seeds has True, which is not allowed"),
        ("[0, 1]", "3", "seeds is 3: give a list"),
        ("[0.1, 1]", "[10]", "label_rates has 10, which is not allowed"),
        ("[801, 802]", "[]", "datasets is []: give a list"),
        ("[801, 802]", "[BTCV]", "datasets has 'BTCV'"),
        ("MASSTrainer", "../x", "methods has '../x'"),
        ("output: out", "output: [a]", "output is ['a']: give text"),
        ("output: out", "output: out\nnote: 3", "note is 3: give text"),
        ("output: out", "output: out\ndevice: gpu", "device 'gpu' is none of cuda, cpu, mps"),
        ("output: out", "output: out\ninference: [all]", "inference has 'all'"),
        ("MASSTrainer", "{trainer: A, name: SupervisedTrainer}", "two rows have the name 'SupervisedTrainer'"),
        ("MASSTrainer", "{trainer: A, name: supervisedTrainer}", "differ in upper and lower case only"),
        ("output: out", "output: out\nvariants: []", "unknown key 'variants'"),
        ("output: out", "output: out\nexternal: folder", "external is 'folder': give it as in"),
        ("output: out", "output: out\nexternal: {MASSTrainer: x}", "two rows have the name 'MASSTrainer'"),
        (WHOLE, "", "has no keys"),
        ("output: out", '"output": "a\\0b"', "output is 'a\\x00b', which is no path: name a folder"),
        ("output: out", "output: ~nobody-here/x", "output is '~nobody-here/x', which is no path: name a folder"),
        ("[0, 1]", "2021-99-99", "is not valid YAML (month must be in 1..12): correct it"),
        ("[0, 1]", "[" * 300, "is not valid YAML of a grid (it has more than 200 brackets): correct it"),
        ("[0, 1]", "[4294967296]", "seeds has 4294967296, which is not allowed"),
        ("[0, 1]", "x" * 500, "xxx...: give a list"),
        (WHOLE, "a: !!python/object/apply:os.getcwd []", "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, old, new, text):
    file = write(tmp_path, WHOLE.replace(old, new))
    with pytest.raises(UserError) as error:
        load_grid(file)
    assert text in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        load_grid(tmp_path / "grid.yaml")
    with pytest.raises(UserError, match="is a folder"):
        load_grid(tmp_path)


def test_text_that_is_not_utf_8(tmp_path):
    (tmp_path / "grid.yaml").write_bytes(b"note: \xff")
    with pytest.raises(UserError, match=r"grid.yaml is not valid YAML \(it is not UTF-8 text\): correct it"):
        load_grid(tmp_path / "grid.yaml")
