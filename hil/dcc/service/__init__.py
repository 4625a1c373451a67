"""The DUIS web service of the DCC: requests come in as XML, answers go back in the exchange or are pushed to each user's own address.

Facts: reference duis-gateway. Order of reading: :mod:`response` (the documents), :mod:`exchange` (a request in, its answer out),
:mod:`outbox` and :mod:`push` (what follows later), :mod:`app` (HTTP).
"""
