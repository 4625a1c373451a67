"""Python imports this file at its start wherever this folder is on its path: programs that a test starts are watched as the test is."""

import os

if "CHUB_DOORS" in os.environ:
    import through_doors

    through_doors.install()
