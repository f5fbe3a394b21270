"""The numbers behind the charts, from the tables and from the store."""
