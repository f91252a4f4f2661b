"""Trained models for others."""
