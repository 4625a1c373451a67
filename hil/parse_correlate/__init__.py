"""Parse and Correlate: the software by which a user knows that a pre-command says what it asked (sec2 [157 to 166])."""
