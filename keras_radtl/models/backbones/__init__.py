"""Backbones: a table with one `BackboneSpec` each, and architectures that `keras.applications` does not have."""
