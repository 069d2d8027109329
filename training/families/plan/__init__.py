"""The plan model: which chord and which section comes next."""
