"""The demo company: a shop that never was, with two years of sales made by a seeded generator."""
