"""Demand forecasting: panels in, quantile forecasts out. Models are reached by name through `registry`."""
