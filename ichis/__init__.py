"""Volts, pins and the serial pair of the Intimate Communications Hub Interface. Knows nothing of GBCS.

Pin names, numbers, directions, pull-ups and polarities are established facts (reference ichis 1). Voltages beyond the
nominal 12 V, currents, thresholds and timings are not: they are profile values with a source, and no result of this
package calls one of them a limit of ICHIS. Imports only ``errors``, ``ids``, ``clock`` and ``trace``.
"""
