"""What all trainers are made of."""
