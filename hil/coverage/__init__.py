"""Coverage of the emulated Devices: each request of a folder is sent to one, and its answer's shape compared with the reference's."""
