"""The band in the window: a row for each player, and the knobs of the chosen one."""
