"""Raw public datasets to nnU-Net raw datasets: ``mass_nnunet convert``."""
