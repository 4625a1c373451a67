"""The dialects that this project brings along, one TOML file a family."""
