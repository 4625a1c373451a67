"""``chub watch``."""
