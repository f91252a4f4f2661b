"""The organs. They are painted from large to small, so that later ones lie beside or inside earlier ones."""

from collections.abc import Sequence

import numpy as np

from .canvas import Canvas, Point
from .tissues import Btcv, Tissue
from .variation import Variation

FATTY = (Tissue.VISCERAL_FAT,)


def paint_liver(canvas: Canvas, vary: Variation) -> None:
    """Paint the right lobe under the right dome, the left lobe across the midline, vessels, and sometimes lesions."""
    right = canvas.ellipsoid(vary.at((-76, -4, 52)), vary.size((70, 86, 92)), vary.turn((0, 0, 0)))
    x, y, z = canvas.x[right.window], canvas.y[right.window], canvas.z[right.window]
    tip, slope = vary.between(10, 34), vary.between(0.8, 1.15)
    above_visceral_surface = z - tip > slope * (x + 50) + 0.35 * (y + 20)
    canvas.paint(Tissue.LIVER, right, label=Btcv.LIVER, where=above_visceral_surface)
    left = canvas.ellipsoid(vary.at((-2, -42, 82)), vary.size((82, 40, 40), 1.3), vary.turn((0, -12, 12)))
    canvas.paint(Tissue.LIVER, left, label=Btcv.LIVER, over=(*FATTY, Tissue.LIVER))

    confluence = vary.at((-18, 12, 100), 0.5)
    veins = [((-85, 15, 85), (-115, 20, 40)), ((-50, -25, 90), (-70, -50, 45)), ((0, -15, 90), (30, -40, 80))]
    for middle, end in veins:
        paint_vessel(canvas, [confluence, vary.at(middle), vary.at(end)], [6, 4.5, 2.2])
    hilum = vary.at((-42, -8, 52), 0.5)
    branches = [((-70, 0, 55), (-110, -10, 70)), ((-70, 5, 45), (-105, 30, 20)), ((-65, -20, 45), (-95, -50, 20)),
                ((-25, -25, 65), (15, -50, 78)), ((-75, -5, 75), (-90, -15, 110))]  # fmt: skip
    for middle, end in branches:
        paint_vessel(canvas, [hilum, vary.at(middle), vary.at(end, 2)], [5, 4, 2])
    for _ in range(vary.rng.poisson(0.8)):
        place = vary.at((-75, 0, 60), 8)
        kind = Tissue.CYST if vary.chance(0.5) else Tissue.LESION
        radius = vary.between(5, 16)
        canvas.paint(kind, canvas.ellipsoid(place, vary.size((radius,) * 3)), label=Btcv.LIVER, over=(Tissue.LIVER,))


def paint_vessel(canvas: Canvas, path: Sequence[Point], radii: list[float]) -> None:
    """Paint a vessel inside the liver; it belongs to the liver's label."""
    canvas.paint(Tissue.HEPATIC_VESSEL, canvas.tube(path, radii), label=Btcv.LIVER, over=(Tissue.LIVER,))


def paint_spleen(canvas: Canvas, vary: Variation) -> None:
    """Paint the spleen behind and beside the stomach, its long axis along the tenth rib, hollow towards the hilum."""
    centre, radii, turn = vary.at((100, 36, 68)), vary.size((25, 38, 56), 1.7), vary.turn((38, 8, -22))
    capsule = canvas.ellipsoid(centre, radii + 3, turn, bend=-0.55)
    neighbours = Tissue.STOMACH_WALL, Tissue.STOMACH_CONTENT, Tissue.GAS, Tissue.LIVER, Tissue.HEPATIC_VESSEL
    canvas.paint(Tissue.VISCERAL_FAT, capsule, over=neighbours)
    canvas.paint(Tissue.SPLEEN, canvas.ellipsoid(centre, radii, turn, bend=-0.55), label=Btcv.SPLEEN, over=FATTY)


def paint_kidney(canvas: Canvas, vary: Variation, side: int) -> None:
    """Paint cortex, pyramids of medulla, sinus fat and pelvis in a bed of fat. ``side``: -1 right, 1 left.

    Sinus and pelvis do not belong to the label, as in the annotations of BTCV and CHAOS.
    """
    label = Btcv.LEFT_KIDNEY if side > 0 else Btcv.RIGHT_KIDNEY
    centre = vary.at((side * 66, 38, 4 if side > 0 else -14), 1.3)
    radii, bend = vary.size((30, 27, 56), 0.9), -0.3 * side
    turn = vary.turn((-14, -12 * side, -28 * side))
    bed = canvas.ellipsoid(centre, radii + 7, turn, bend)
    canvas.paint(Tissue.VISCERAL_FAT, bed)
    kidney = canvas.ellipsoid(centre, radii, turn, bend)
    canvas.paint(Tissue.RENAL_CORTEX, kidney, label=label)
    medial = centre - side * np.array([0.5 * radii[0], 0.22 * radii[0], 0])
    x, y, z = (
        values[kidney.window] - np.float32(c) for values, c in zip((canvas.x, canvas.y, canvas.z), medial, strict=True)
    )
    around, along = 6 * np.arctan2(y, side * x), z * np.float32(2 * np.pi / 22)  # seen from the sinus
    columns = np.cos(around + vary.between(0, 6)) + np.cos(along + vary.between(0, 6)) < 0.7
    canvas.paint(Tissue.RENAL_MEDULLA, kidney, label=label, below=0.74, where=columns)
    canvas.paint(Tissue.VISCERAL_FAT, canvas.ellipsoid(medial, radii * (0.52, 0.36, 0.4), turn))
    pelvis = canvas.ellipsoid(medial, vary.size(radii * (0.36, 0.2, 0.24), 2), turn)
    canvas.paint(Tissue.URINE, pelvis)
    hilum = medial - side * np.array([0.5 * radii[0], 6 * side, 6])
    ureter = [medial, hilum, (side * 36, 26, centre[2] - 50), (side * 34, 20, centre[2] - 120)]
    canvas.paint(Tissue.URINE, canvas.tube(ureter, [6, 4, 2.6, 2.6]), over=FATTY)
    vein = [medial, hilum + np.array([0, -4, 8]), (6 if side > 0 else -14, 18, centre[2] + 10)]
    canvas.paint(Tissue.VENA_CAVA, canvas.tube(vein, 4.5), over=FATTY)
    if vary.chance(0.25):
        cyst = canvas.ellipsoid(vary.at(centre + np.array([side * radii[0], 0, 0]), 3), vary.size((11, 11, 11), 4))
        canvas.paint(Tissue.CYST, cyst, over=(Tissue.RENAL_CORTEX, Tissue.RENAL_MEDULLA, *FATTY))


def paint_stomach(canvas: Canvas, vary: Variation) -> None:
    """Paint the fundus under the left dome, body and antrum towards the midline, and gas in front."""
    path = vary.at([(58, 12, 102), (66, -8, 78), (56, -36, 44), (24, -52, 22), (-16, -44, 18), (-30, -30, 22)])
    shape = canvas.tube(path, vary.size([30, 34, 30, 22, 15, 10], 1.6))
    canvas.paint(Tissue.STOMACH_WALL, shape, label=Btcv.STOMACH)
    canvas.paint(Tissue.STOMACH_CONTENT, shape, label=Btcv.STOMACH, below=0.86)
    gas = canvas.y[shape.window] < vary.between(-75, -25)
    canvas.paint(Tissue.GAS, shape, label=Btcv.STOMACH, below=0.86, where=gas)


def paint_gallbladder(canvas: Canvas, vary: Variation) -> None:
    """Paint the gallbladder in its fossa under the right lobe."""
    bladder = canvas.ellipsoid(vary.at((-52, -46, 16)), vary.size((15, 17, 30), 1.5), vary.turn((30, 20, 0)))
    canvas.paint(Tissue.BILE, bladder, label=Btcv.GALLBLADDER, over=(*FATTY, Tissue.LIVER, Tissue.HEPATIC_VESSEL))


def paint_great_vessels(canvas: Canvas, vary: Variation) -> None:
    """Paint aorta, vena cava and the oesophagus, which ends in the stomach."""
    low, high = canvas.z.min(), canvas.z.max()
    cavity, canvas.cavity = canvas.cavity, np.ones_like(canvas.cavity)  # they pass through the diaphragm
    aorta = canvas.tube(vary.at([(8, 17, low), (8, 17, 0), (9, 20, 90), (14, 24, high)], 0.5), vary.size(10))
    canvas.paint(Tissue.AORTA, aorta, label=Btcv.AORTA)
    arteries = [[(8, 12, 32), (6, -5, 30), (8, -12, -60)], [(8, 12, 48), (12, -6, 52), (-30, -8, 56)]]
    for artery in arteries:
        canvas.paint(Tissue.AORTA, canvas.tube(artery, 3.6), over=FATTY)
    cava = canvas.tube(vary.at([(-17, 19, low), (-17, 17, 10), (-20, 14, 70), (-18, 8, 122)], 0.5), vary.size(11.5))
    over = (*FATTY, Tissue.LIVER, Tissue.HEPATIC_VESSEL, Tissue.MUSCLE)
    canvas.paint(Tissue.VENA_CAVA, cava, label=Btcv.VENA_CAVA, over=over)
    path = vary.at([(6, 6, max(high, 121) + 25), (10, 4, 115), (24, 2, 100), (42, 2, 92)], 0.4)
    over = (*FATTY, Tissue.LUNG, Tissue.MUSCLE, Tissue.LIVER)
    canvas.paint(Tissue.OESOPHAGUS, canvas.tube(path, vary.size(9)), label=Btcv.OESOPHAGUS, over=over)
    canvas.cavity = cavity


def paint_pancreas(canvas: Canvas, vary: Variation) -> None:
    """Paint the pancreas: head at the duodenum, body across the aorta, tail at the spleen; and the vein behind it."""
    path = vary.at([(-24, -12, 6), (-8, -22, 20), (14, -22, 32), (44, -4, 42), (74, 14, 52)], 0.8)
    over = (*FATTY, Tissue.STOMACH_WALL, Tissue.STOMACH_CONTENT)
    canvas.paint(Tissue.VISCERAL_FAT, canvas.tube(path, [19, 14, 15, 15, 12]), over=over)
    pancreas = canvas.tube(path, vary.size([15, 10, 11, 11, 8], 1.5))
    canvas.paint(Tissue.PANCREAS, pancreas, label=Btcv.PANCREAS, over=FATTY)
    vein = path + np.array([0, 11, 1])
    portal = [vary.at((-42, -8, 52), 0.5), (-26, -10, 38), *vein[1:]]
    over = (*FATTY, Tissue.PANCREAS, Tissue.LIVER)
    canvas.paint(Tissue.PORTAL_VEIN, canvas.tube(portal, [7, 7, 6, 5, 4.5, 4]), label=Btcv.PORTAL_VEIN, over=over)
    mesenteric = [vein[1], (-6, -18, -20), (0, -22, -80)]
    canvas.paint(Tissue.PORTAL_VEIN, canvas.tube(mesenteric, [6, 5.5, 4.5]), label=Btcv.PORTAL_VEIN, over=over)


def paint_adrenals(canvas: Canvas, vary: Variation) -> None:
    """Paint two thin limbs above and in front of each kidney, joined in front."""
    for label, side, usual in ((Btcv.RIGHT_ADRENAL, -1, (-34, 24, 54)), (Btcv.LEFT_ADRENAL, 1, (36, 18, 48))):
        apex = vary.at(usual, 0.6)
        for angle in (-10, 35):
            centre = apex + np.array([side * 8 * np.sin(np.radians(angle)), 8, 0])
            limb = canvas.ellipsoid(centre, vary.size((4, 13, 17)), (0, 0, -side * angle))
            over = (*FATTY, Tissue.LIVER, Tissue.HEPATIC_VESSEL)
            canvas.paint(Tissue.VISCERAL_FAT, limb, over=over)
            canvas.paint(Tissue.ADRENAL, limb, label=label, over=FATTY)
