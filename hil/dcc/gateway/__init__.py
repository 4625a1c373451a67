"""The way in: a service request is checked, transformed, returned for signature, and sent."""
