"""Classifiers: pixel scaling, backbone, pooled features and head, as one flat functional Keras graph.

`backbones` has one row per backbone, `branches` reads which rows a configuration asks for, `scalings` and `head_sizes`
hold numbers; these import without TensorFlow. `preprocessing`, `batchnorm` and `heads` are the registered layers,
`classifier` puts everything together, `groups` freezes and unfreezes by layer group, `memory` estimates.
"""
