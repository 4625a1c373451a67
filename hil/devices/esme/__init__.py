"""The electricity meter."""
