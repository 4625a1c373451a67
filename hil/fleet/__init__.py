"""Many homes on many processes and machines. Imports scenarios and everything below them; only commands import it.

A fleet is cut into partitions, each an estate with a DCC and a warp clock of its own, played whole on one worker of Dask. A home has the
same identities and the same seed in whatever partition it stands, so that it can be played again alone. Homes of different partitions meet
in one DCC only where that is elsewhere (:mod:`hil.fleet.remote`).
"""
