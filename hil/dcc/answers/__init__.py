"""The way back: Responses and Device Alerts are proven, recorded and delivered to the user."""
