"""The mathematics of recommendations: plain Python on NumPy, without Django, clock or database."""
