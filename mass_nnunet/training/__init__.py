"""What a training needs besides network and objective: loaders, augmentation, the teacher."""
