"""The parts that both meters share: calendar, registers, tariff, account, billing, keypad."""
