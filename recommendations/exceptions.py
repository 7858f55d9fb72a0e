"""What can go wrong in words a caller can act on."""

from django.core.exceptions import ValidationError


class BadRequest(ValidationError):
    """The request as a whole cannot be answered."""


class EventsNotStored(RuntimeError):
    """The event store stayed busy; nothing of the batch is stored, and the caller may send it again."""
