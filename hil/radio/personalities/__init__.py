"""Named firmwares of virtual dongles, one file each."""
