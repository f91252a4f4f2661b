"""DICOM exports of an archive: which scans they hold, their patients' pseudonyms, voxels, and label objects."""
