"""The loop of annotation: which scans to annotate next, out to an editor, and the corrected labels back in."""
