"""The DCC's end of the SM WAN."""
