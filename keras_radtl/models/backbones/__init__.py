"""Backbones: one `BackboneSpec` row each, and the architectures that Keras lacks."""
