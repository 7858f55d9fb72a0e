"""Replenishment: a problem of one stock point, policies that order, and how good they are.

Importing this package needs NumPy alone; learning imports its compiled kernels when it is called.
"""

from .policy import Explanation, Policy, read_policy
from .problem import ReplenishmentProblem
from .registry import available_methods, learn_policy, policy_from_parts

__all__ = [
    "Explanation",
    "Policy",
    "ReplenishmentProblem",
    "available_methods",
    "learn_policy",
    "policy_from_parts",
    "read_policy",
]
