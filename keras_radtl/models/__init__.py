"""Classifiers: pixel scaling, backbone, pooling and head in one flat functional Keras model.

`backbones` describes the available backbones, `weights` loads their pretrained weights, and `layers` has the registered
Keras layers. `classifier` builds a model from these, `groups` freezes and unfreezes its layer groups, `prefix`
separates the frozen part, `losses` and `probabilities` work on its logits, and `memory` estimates the memory for
training.
"""
