"""Files and folders: raw datasets, splits, volumes, and how they are read and written."""
