"""Readers of scans and label maps: NIfTI files, DICOM slices and stacks."""
