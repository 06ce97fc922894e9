"""Images and labels: from files to a case table, its split, and uint8 pixels in batches.

The flow: `sources` make a `CaseTable`, `images` decodes and resizes, `audit` finds duplicates and label conflicts,
`split` divides whole groups, `dataset` does all four for a command, `augment` and `pipeline` feed the training.
"""
