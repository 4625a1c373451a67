"""Second parties that nobody of this project wrote, as judges of its seams."""
