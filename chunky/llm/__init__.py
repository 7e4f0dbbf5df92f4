"""Models behind one protocol, the roles they play, and the rules that play them without a model."""
