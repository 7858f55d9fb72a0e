from forecasting.models.artifact import Artifact, Backtest
from forecasting.models.forecast import Forecast, ForecastRun
from forecasting.models.policy import Policy, PolicyEvaluation

__all__ = ["Artifact", "Backtest", "Forecast", "ForecastRun", "Policy", "PolicyEvaluation"]
