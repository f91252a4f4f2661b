"""The layouts of public datasets, one file each."""
