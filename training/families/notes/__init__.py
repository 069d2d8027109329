"""What all models of note events share: embeddings and heads, loss, task, bundle and the yardstick.

One step of the backbone a note; then small heads decide its fields in turn, each conditioned on those decided before,
as in Notochord (Shepardson et al., 2022), so that any field can be constrained while sampling. What was played 1, 2, 4
and 8 bars ago enters as features (lookback features, Waite, "Generating long-term structure in songs and stories",
2016) and, through a learned gate, as a bonus on the logit of the repeated value, like a small pointer network (Vinyals
et al., 2015): an LSTM of this size cannot keep eight bars in its state.
"""
