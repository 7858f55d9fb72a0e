"""Plain Python below the models: no Django, no database, no clock."""
