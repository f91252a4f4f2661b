"""Trained models to share with others."""
