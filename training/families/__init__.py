"""The families of models. Each is a folder: a docstring that names the paper and what differs, `network`, `task` and
`bundle`; `table.FAMILIES` names them all. What several share is in `notes` and in the other modules of this package.
"""
