"""Debug logs of other hosts, read: lines to octets, octets to frames, frames to words and to what went wrong."""
