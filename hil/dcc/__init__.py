"""The far end: users, the gateway, the inventory, transform and proof, the SM WAN's other end.

:class:`hil.dcc.dcc.Dcc` is all of it behind one object. What others may build on:

- users and requests: ``add_user``, ``remove_user``, ``request``, ``send``, ``outcome``, ``cancel``, ``release``, ``discard``
- parties and Devices: ``pre_notify``, ``hold``, ``register_supply``, ``attach_hub``
- parts, each documented in its module: ``gateway``, ``connections``, ``requests``, ``inventory``, ``registration``, ``known_parties``,
  ``device_log_copy``, ``quarantine``, ``alerts``, ``schedules``, ``deferred``, ``sequence``, ``firmware``, ``wan_matrix``, ``hub_reports``,
  ``check_list``, ``repository``, ``receivers``, ``head_end``; ``context`` is what they share
- ``bus``: what happens, as typed events (:mod:`hil.dcc.base.store`): ``RequestMoved``, ``AuditLine``, ``Delivered``, ``UserSuspended`` ...
- what it leaves behind: :class:`hil.dcc.base.results.Outcome`, ``User.inbox``
  (:class:`hil.dcc.base.results.Delivery`), trace records, and the
  tables of ``schema.sql``, which only ever gain tables and columns
- refusals: :func:`hil.dcc.base.refusals.refused` from ``refusals.toml``; a new check declares its refusal there

A new step of a request is a row of :data:`hil.dcc.base.requests.LIFE`; ``processing.md`` is written from it.
"""
