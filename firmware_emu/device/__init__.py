"""Common duties of every GBCS Device: credentials and counters, the checks on a Command, shared use cases, executors, joining.

Start at :mod:`~firmware_emu.device.pipeline`. A type of Device adds an executor: a DLMS object model
(:mod:`~firmware_emu.device.object_model`) or a ZCL model (:mod:`~firmware_emu.device.gbz_server`), both data first.
"""
