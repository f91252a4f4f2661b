"""Files and folders: raw datasets, splits and volumes, how they are read and written."""
