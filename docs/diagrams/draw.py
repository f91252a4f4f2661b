"""The diagrams of the site, as SVG files beside this script: ``python docs/diagrams/draw.py``."""

from html import escape
from pathlib import Path

FILL = {"own": "#d5efec", "nnunet": "#e3e6f3", "data": "#ffffff", "note": "none"}
"""Commands and modules of this package, those of nnU-Net, and files and tensors."""
STROKE = {"own": "#00796b", "nnunet": "#5c6bc0", "data": "#78909c", "note": "none"}
LINE = 17
"""Height of a line of text."""


class Drawing:
    """Boxes and arrows on a white page; coordinates in pixels from the top left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
            f'aria-label="{escape(title)}" font-family="Helvetica, Arial, sans-serif" font-size="13">\n'
            f"<title>{escape(title)}</title>\n"
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#455a64"/></marker></defs>\n'
            f'<rect width="{width}" height="{height}" fill="#fff"/>'
        )
        self.parts: list[str] = []

    def box(self, x: float, y: float, w: float, h: float, text: str, kind: str) -> None:
        """A box with centred lines of text; the first one is bold."""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{FILL[kind]}" stroke="{STROKE[kind]}"/>'
        )
        lines = text.split("\n")
        top = y + h / 2 - LINE * (len(lines) - 1) / 2 + 4.5
        for i, line in enumerate(lines):
            style = ' font-weight="bold"' if i == 0 else ' fill="#37474f" font-size="12"'
            self.text(x + w / 2, top + LINE * i, line, style)

    def text(self, x: float, y: float, line: str, style: str = "", anchor: str = "middle") -> None:
        """One line of text."""
        self.parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}"{style}>{escape(line)}</text>')

    def arrow(self, *points: tuple[float, float], dashed: bool = False) -> None:
        """A line through the points with a tip at its end."""
        path = " ".join(f"{'L' if i else 'M'}{x} {y}" for i, (x, y) in enumerate(points))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="#455a64" stroke-width="1.4"{dash} marker-end="url(#tip)"/>'
        )

    def note(self, x: float, y: float, text: str, anchor: str = "start") -> None:
        """Small lines of grey text."""
        for i, line in enumerate(text.split("\n")):
            self.text(x, y + 15 * i, line, ' fill="#546e7a" font-size="12"', anchor)

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_text("\n".join([self.head, *self.parts, "</svg>"]) + "\n", encoding="utf-8")


def data_flow() -> Drawing:
    """From raw data to a report."""
    d = Drawing(960, 505, "The flow of data from raw scans to models, predictions, scores and a report")
    w, h = 170, 62
    columns = [20, 270, 520, 770]

    def row(y: int, boxes: list[tuple[str, str]]) -> None:
        for x, (text, kind) in zip(columns, boxes, strict=True):
            d.box(x, y, w, h, text, kind)

    row(30, [
        ("raw data\nBTCV, CHAOS, AMOS,\nMM-WHS, NIfTI", "data"),
        ("nnUNet_raw\nimagesTr labelsTr imagesTs\nimagesUn dataset.json", "data"),
        ("splits_final.json\nlabelled, unlabelled,\nvalidation cases", "data"),
        ("nnUNet_preprocessed\nMASSPlans.json, arrays\nof all scans", "data"),
    ])  # fmt: skip
    row(230, [
        ("scores.csv\nDice, surface Dice,\nHD95, ASSD, volumes", "data"),
        ("label maps\nof CT scans,\nof MRI scans", "data"),
        ("two models\none results folder\nfor each modality", "data"),
        ("nnUNetv2_train\n-tr MASSTrainer\none training", "nnunet"),
    ])  # fmt: skip
    for i, (name, kind) in enumerate((("convert", "own"), ("split", "own"), ("plan", "own"))):
        left, right = columns[i] + w, columns[i + 1]
        d.arrow((left, 61), (right, 61))
        d.box((left + right) / 2 - 33, 47, 66, 28, name, kind)
    d.arrow((855, 92), (855, 230))
    d.note(845, 150, "labelled and unlabelled\nscans of both modalities", "end")
    d.arrow((770, 261), (690, 261))
    d.arrow((520, 261), (440, 261))
    d.arrow((270, 261), (190, 261))
    d.box(447, 247, 66, 28, "predict", "nnunet")
    d.box(197, 247, 68, 28, "evaluate", "own")
    # what is made of a model and of scores
    y = 400
    d.box(20, y, w, h, "benchmark report\none HTML page,\ntables, figures", "own")
    d.arrow((105, 292), (105, y))
    d.box(520, y, w, h, "visualize\na page of pictures\nof each branch", "own")
    d.box(770, y, w, h, "export\na zip for stock nnU-Net,\nand a model card", "own")
    d.arrow((605, 292), (605, y))
    d.arrow((640, 292), (640, 350), (855, 350), (855, y))
    d.box(270, y, w, h, "labelsTs\nannotations of\nthe test scans", "data")
    d.arrow((300, y), (300, 350), (231, 350), (231, 276))
    d.note(20, 492, "Teal: commands of mass_nnunet. Blue: commands of nnU-Net. White: files.")
    return d


def network() -> Drawing:
    """What the network is made of, and what teaches it."""
    d = Drawing(
        960, 640, "The network: encoders, shared decoder, segmentation heads, correspondence head, atlases, teacher"
    )
    d.box(20, 40, 150, 48, "CT scan x\nlabelled or not", "data")
    d.box(20, 130, 150, 48, "MRI scan x\nlabelled or not", "data")
    d.box(220, 40, 130, 48, "CT encoder\nE_CT", "nnunet")
    d.box(220, 130, 130, 48, "MRI encoder\nE_MRI", "nnunet")
    d.box(400, 70, 140, 78, "shared decoder\nD: features of all\nscales", "nnunet")
    d.arrow((170, 64), (220, 64))
    d.arrow((170, 154), (220, 154))
    d.arrow((350, 64), (400, 95))
    d.arrow((350, 154), (400, 123))
    d.box(600, 40, 160, 58, "segmentation heads\ndeep supervision,\nshared", "nnunet")
    d.arrow((540, 95), (570, 95), (570, 69), (600, 69))
    d.box(810, 40, 130, 58, "logits S(x)\nof K classes", "data")
    d.arrow((760, 69), (810, 69))

    d.box(600, 170, 160, 74, "correspondence head\nwarp, compare, add:\ncoarse to fine", "own")
    d.arrow((540, 123), (570, 123), (570, 207), (600, 207))
    d.box(810, 178, 130, 58, "field u\nhalf resolution", "data")
    d.arrow((760, 207), (810, 207))
    d.box(
        220,
        240,
        320,
        78,
        "atlases of each modality\nin training: annotated scans of the batch;\nin the model: five scans with labels",
        "own",
    )
    d.arrow((285, 240), (285, 178))
    d.note(293, 212, "atlases are encoded\nlike any other scan")
    d.box(600, 286, 160, 58, "refinement\n20 steps of Adam on u,\nnot in training steps", "own")
    d.arrow((875, 236), (875, 315), (760, 315))
    d.box(600, 386, 160, 58, "warp the atlas labels\nand fuse five by\nlocal correlation", "own")
    d.arrow((680, 344), (680, 386))
    d.arrow((380, 318), (380, 415), (600, 415))
    d.note(390, 407, "their labels and images")
    d.box(810, 386, 130, 58, "propagated labels\nprobabilities a", "data")
    d.arrow((760, 415), (810, 415))

    d.box(600, 500, 340, 58, "prediction\nsegmentation: S(x), atlas: 5 a,\nfused: S(x) + 5 a", "data")
    d.arrow((875, 444), (875, 500))
    d.arrow((940, 69), (952, 69), (952, 529), (940, 529))
    d.box(600, 590, 340, 34, "+ intensity adaptation (adapted, atlas, fused)", "own")
    d.arrow((770, 558), (770, 590))

    d.box(20, 386, 150, 74, "mean teacher\nrunning average of\nthe network's weights", "own")
    d.box(
        220,
        490,
        250,
        84,
        "pseudo-labels of unlabelled scans\nmean of teacher and propagated\nlabels, where it exceeds 0.75",
        "data",
    )
    d.arrow((95, 460), (95, 532), (220, 532))
    d.note(20, 360, "sees unlabelled scans as they are;\nthe network sees them perturbed")
    d.arrow((600, 435), (520, 435), (520, 532), (470, 532))
    d.note(512, 470, "after the ramp", "end")
    d.arrow((345, 574), (345, 606), (560, 606), (560, 225), (600, 225), dashed=True)
    d.arrow((560, 225), (560, 85), (600, 85), dashed=True)
    d.note(352, 600, "teach both branches (dashed)")
    d.note(
        20,
        632,
        "Teal: parts that this package adds. Blue: nnU-Net's U-Nets, which share decoder and heads. White: tensors.",
    )
    return d


if __name__ == "__main__":
    for drawing, name in ((data_flow(), "data_flow"), (network(), "network")):
        drawing.save(Path(__file__).with_name(f"{name}.svg"))
