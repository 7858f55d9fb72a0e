"""Figures in groups of three, as in Chinese accounts; Django writes them without a separator."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
