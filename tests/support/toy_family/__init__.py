"""A family as one folder: a plain recurrent network (Elman, 1990) of notes, with the task of all models of notes."""
