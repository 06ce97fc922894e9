"""Images and labels: from files to a case table, its split, and uint8 pixels in batches.

`sources` reads a `CaseTable`, `images` decodes and resizes the images, `duplicates` finds identical images and label
conflicts, and `split` assigns whole groups to train, validation and test. `dataset` runs these four steps. `sampling`,
`augment` and `pipeline` turn the result into training batches.
"""
