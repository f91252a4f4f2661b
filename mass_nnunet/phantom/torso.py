"""The torso around the organs: skin, fat, muscular wall, ribs, spine, diaphragm, and lungs and heart above it."""

import numpy as np

from .canvas import Canvas, Shape
from .tissues import Tissue
from .variation import Variation

WALL = np.array([150.0, 98.0])  # half width and half depth of the muscular torso, mm
WALL_THICKNESS = 0.085  # share of its radius


def _torso_level(canvas: Canvas, half_width: float, half_depth: float, shift: float = 0) -> np.ndarray:
    """Relative radius in a rounded rectangle: the mean of an ellipse's and of a fourth-power superellipse's."""
    across = (canvas.x / np.float32(half_width)) ** 2
    deep = ((canvas.y - np.float32(shift)) / np.float32(half_depth)) ** 2
    return 0.5 * (np.sqrt(across + deep) + np.sqrt(np.sqrt(across**2 + deep**2)))


def _diaphragm_height(canvas: Canvas, vary: Variation) -> np.ndarray:
    """Height of the diaphragm at every grid point: two domes, the right one higher, with the heart between them."""
    depth = 42 * ((canvas.y + 15) / 75) ** 2
    domes = []
    for middle, height, steepness in ((-68, 134, 50), (0, 113, 22), (70, 120, 50)):
        x, top = np.float32(vary.at(middle)), np.float32(vary.at(height))
        domes.append(top - np.float32(steepness) * ((canvas.x - x) / 68) ** 2)
    return np.maximum.reduce(domes) - depth


def paint_wall(canvas: Canvas, vary: Variation, fatness: float) -> None:
    """Paint skin, subcutaneous fat, muscles, ribs and the table, and make the inside of the muscles the cavity."""
    side, front, back = fatness * vary.size([19, 17, 15], 2)
    outer_shape = WALL[0] + side, WALL[1] + (front + back) / 2, (back - front) / 2
    outer, wall = _torso_level(canvas, *outer_shape), _torso_level(canvas, *WALL)
    skin = 1 - 3 / outer_shape[1]
    canvas.tissue[outer < 1] = Tissue.SKIN
    canvas.tissue[outer < skin] = Tissue.FAT
    canvas.tissue[(outer < skin) & (wall < 1)] = Tissue.MUSCLE
    # A thin layer of fat between the muscles of the flank, as in every real scan.
    layer = (np.abs(wall - (1 - WALL_THICKNESS / 2)) < 0.009) & (canvas.y < 45)
    canvas.tissue[layer & (outer < skin)] = Tissue.FAT
    _paint_ribs(canvas, vary, wall)
    table = _torso_level(canvas, 260, 400, outer_shape[2] + outer_shape[1] - 400 + 8)
    canvas.tissue[(np.abs(table - 1) < 0.007) & (canvas.y > 40) & (outer > 1.02)] = Tissue.TABLE
    canvas.cavity = wall < 1 - WALL_THICKNESS
    canvas.tissue[canvas.cavity] = Tissue.VISCERAL_FAT


def _paint_ribs(canvas: Canvas, vary: Variation, wall: np.ndarray) -> None:
    """Paint ribs in the wall, one every 29 mm, descending towards the front, above a rising costal margin.

    In front they are cartilage, which looks like a disc.
    """
    shell = np.flatnonzero((np.abs(wall - 0.955) < 0.04) & (np.abs(canvas.x) > 22) & (canvas.y < 84))
    x, y, z = (values.ravel()[shell] for values in (canvas.x, canvas.y, canvas.z))
    phase = (z - np.float32(0.75) * y + np.float32(vary.between(0, 29))) / 29
    across = ((phase - np.round(phase)) * (29 / 5.5)) ** 2 + ((wall.ravel()[shell] - 0.955) * (115 / 4.2)) ** 2
    margin = -20 + np.where(y < 30, np.float32(0.005) * np.maximum(0, 122 - np.abs(x)) ** 2, 0)
    bone = y > -30
    tissue = np.where(bone, np.where(across < 0.35, Tissue.MARROW, Tissue.CORTICAL_BONE), Tissue.DISC)
    ribs = (across < 1) & (z > margin)
    canvas.tissue.ravel()[shell[ribs]] = tissue[ribs]


def paint_spine(canvas: Canvas, vary: Variation) -> None:
    """Paint vertebrae and discs, canal, arches and processes, psoas and the muscles of the back."""
    cavity, canvas.cavity = canvas.cavity, np.ones_like(canvas.cavity)  # the spine is outside the cavity
    _paint_back_muscles(canvas, vary)
    window = canvas.window((-50, 15, -np.inf), (50, 110, np.inf))
    x, y, z = (values[window] for values in (canvas.x, canvas.y, canvas.z))
    period = 34
    phase = (z + np.float32(vary.between(0, period))) / period
    height = np.abs(phase - np.round(phase)) * period  # mm from the middle of a vertebra
    width, depth = vary.size([24, 18], 0.5).astype(np.float32)
    waist = 1 - np.float32(0.1) * np.cos(height * np.float32(np.pi / 15))
    body = Shape(window, np.sqrt((x / width) ** 2 + ((y - 46) / depth) ** 2) / waist)
    canvas.paint(Tissue.DISC, body)
    canvas.paint(Tissue.CORTICAL_BONE, body, where=height < 13)
    canvas.paint(Tissue.MARROW, body, where=height < 11.5, below=0.9)
    for across, middle, deep, where in ((17, 70, 14, y > 63), (4.5, 83, 14, height < 10)):  # arch, spinous process
        process = Shape(window, (x / across) ** 2 + ((y - middle) / deep) ** 2)
        canvas.paint(Tissue.CORTICAL_BONE, process, where=where)
    transverse = (x / 40) ** 2 + ((y - 66 - np.abs(x) / 8) / np.float32(4.5)) ** 2 + (height / 7) ** 2
    canvas.paint(Tissue.CORTICAL_BONE, Shape(window, transverse))
    canal = Shape(window, np.hypot(x, y - 69) / np.float32(9.5))
    canvas.paint(Tissue.SPINAL_FLUID, canal)
    canvas.paint(Tissue.SPINAL_CORD, canal, below=0.48)
    canvas.cavity = cavity & (canvas.tissue == Tissue.VISCERAL_FAT)


def _paint_back_muscles(canvas: Canvas, vary: Variation) -> None:
    """Paint erector spinae, psoas and quadratus lumborum of both sides."""
    window = canvas.window((-75, 50, -np.inf), (75, 110, np.inf))
    x, y = canvas.x[window], canvas.y[window]
    inside = canvas.cavity[window] & (canvas.tissue[window] == Tissue.VISCERAL_FAT)
    for side in (-1, 1):
        width, depth = vary.size([30, 19]).astype(np.float32)
        erector = Shape(window, ((x - side * 32) / width) ** 2 + ((y - 76) / depth) ** 2)
        canvas.paint(Tissue.MUSCLE, erector, where=inside)
        psoas = canvas.tube([(side * 22, 42, 35), (side * 36, 42, -30), (side * 46, 34, -150)], vary.size([5, 17, 22]))
        canvas.paint(Tissue.MUSCLE, psoas)
        quadratus = canvas.ellipsoid((side * 68, 62, -60), vary.size((22, 9, 62)), (0, 0, -25 * side))
        canvas.paint(Tissue.MUSCLE, quadratus)


def paint_chest(canvas: Canvas, vary: Variation) -> None:
    """Paint diaphragm, lung bases and heart, and limit the cavity for later shapes to below the diaphragm."""
    diaphragm = _diaphragm_height(canvas, vary)
    above = canvas.cavity & (canvas.z > diaphragm)
    lung = above & (canvas.z > diaphragm + 3)
    canvas.tissue[above] = Tissue.MUSCLE
    canvas.tissue[lung] = Tissue.LUNG
    mediastinum = canvas.ellipsoid(vary.at((5, 20, 160)), vary.size((30, 42, 95)))
    canvas.paint(Tissue.VISCERAL_FAT, mediastinum, over=(Tissue.LUNG,))
    pericardium = canvas.ellipsoid(vary.at((22, -30, 150)), vary.size((72, 56, 50)), (0, -15, 20))
    canvas.paint(Tissue.VISCERAL_FAT, pericardium, over=(Tissue.LUNG,))
    canvas.paint(Tissue.HEART, pericardium, below=0.88, where=lung[pericardium.window])
    canvas.cavity &= ~above
