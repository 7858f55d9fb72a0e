"""Yardsticks: each module prints a table and writes JSON; each runs on any data of its format."""
