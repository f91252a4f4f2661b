"""The methods that MASSTrainer is compared with, one file each."""
