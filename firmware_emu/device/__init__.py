"""What every GBCS Device does: credentials and counters, the checks on a Command, use cases common to all, executors, joining.

Start at :mod:`~firmware_emu.device.pipeline`. A type of Device adds an executor: a DLMS object model
(:mod:`~firmware_emu.device.dlms_server`) or a ZCL model (:mod:`~firmware_emu.device.gbz_server`), both data first.
"""
