"""The radio side of the rig: the shared medium, the virtual dongle, and Devices' radios on either."""
