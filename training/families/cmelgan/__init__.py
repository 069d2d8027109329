"""The family `cmelgan`."""
