"""Colon, duodenum and loops of small bowel, which fill the rest of the abdomen."""

from .canvas import Canvas, Shape
from .tissues import Tissue
from .variation import Variation


def paint_bowel(canvas: Canvas, vary: Variation) -> None:
    """Paint all bowel; it replaces visceral fat only."""
    duodenum = vary.at([(-34, -28, 20), (-46, -10, 4), (-38, 0, -26), (-6, -2, -38), (28, 2, -24)])
    _paint_gut(canvas, vary, canvas.tube(duodenum, vary.size(12)))
    colon = [
        [(-98, 14, -150), (-102, 18, -80), (-98, 12, -36), (-84, -24, -24)],
        [(-84, -24, -24), (-55, -62, -18), (0, -72, -22), (55, -64, 2), (88, -26, 30)],
        [(88, -26, 30), (106, 20, 14), (106, 26, -60), (98, 20, -150)],
    ]
    for part in colon:
        _paint_gut(canvas, vary, canvas.tube(vary.at(part, 1.5), vary.size([17] * len(part), 2)), colon=True)
    for _ in range(30):
        start = vary.rng.uniform((-70, -72, -140), (92, 0, 30))
        loop = [start]
        for _ in range(3):
            loop.append(loop[-1] + vary.rng.normal(0, (26, 16, 14)))
        _paint_gut(canvas, vary, canvas.tube(loop, vary.between(9, 15)))


def _paint_gut(canvas: Canvas, vary: Variation, tube: Shape, colon: bool = False) -> None:
    """Paint a stretch of bowel: a wall around fluid or faeces, sometimes with gas in front, sometimes collapsed."""
    free = (canvas.tissue[tube.window] == Tissue.VISCERAL_FAT) & canvas.cavity[tube.window]
    # The unpainted rim separates neighbouring loops.
    canvas.paint(Tissue.BOWEL_WALL, tube, below=0.95, where=free)
    if not colon and vary.chance(0.2):
        return
    bore = 0.86 if colon else vary.between(0.6, 0.8)
    canvas.paint(Tissue.FAECES if colon else Tissue.BOWEL_FLUID, tube, below=bore, where=free)
    if vary.chance(0.6 if colon else 0.25):
        y = canvas.y[tube.window]
        middle = y[tube.level < 1].mean() if (tube.level < 1).any() else 0
        canvas.paint(Tissue.GAS, tube, below=bore, where=free & (y < middle + vary.between(-8, 8)))
