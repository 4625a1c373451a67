"""The Smart Metering Inventory and the DCC's copies of device logs."""
