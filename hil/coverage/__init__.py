"""How far the emulated Devices answer: each request of a folder sent to one, the answer's shape compared with the reference's."""
