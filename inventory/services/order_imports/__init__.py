"""Orders of shops from files and messages: `apply_order` for one, `begin_import` for a file."""
