"""Train CT and MRI segmentation models together, from few labels, as an extension of nnU-Net v2."""

__version__ = "0.1.0"
