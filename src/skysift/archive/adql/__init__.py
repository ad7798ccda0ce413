"""ADQL 2.1: a query as text becomes SQL of the database, with the type and meaning of every column it gives."""
