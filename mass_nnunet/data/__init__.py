"""Reading and writing of files: raw datasets, splits and volumes."""
