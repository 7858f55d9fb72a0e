"""Plain Python on arrays: no Django, no clock, no database. Importing it imports nothing heavy."""
