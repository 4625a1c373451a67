"""The parties and their keys: users, Access Control Broker, CoS Party, SMKI repository."""
