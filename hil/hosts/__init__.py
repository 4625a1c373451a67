"""Foreign hosts of the virtual dongle: who they are, what they are asked to do, and how it ends."""
